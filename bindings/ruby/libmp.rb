# frozen_string_literal: true

require "fiddle"
require "fiddle/struct"
require "io/wait"

# Queues, locks, events and pools of libmp, whose other ends may be programs in C.
#
#   queue, pool = Libmp::Queue.new(name: "jobs"), Libmp::Pool.new("./worker")
#   queue.each { |message| puts pool.apply("cube", message) }
#
# Messages are binary strings. A timeout is in seconds, nil for no limit. What waits does so on a descriptor: other
# threads run, Ctrl-C and Timeout end it, and a fiber waits in its scheduler. IO.select takes the objects as they are.
# What is not closed is freed when it is collected. libmp.so.0 is loaded, or what LIBMP in the environment names.
module Libmp
  # As they are in mp.h: a check compares them.
  DECLARATIONS = <<~C
    /* from mp.h */
    const char *mp_status_name(int status);
    const char *mp_last_error(void);
    mp_status mp_get_target(const char *name, mp_function *function);
    mp_status mp_context_new_executable(mp_context **context, const char *path, const char *const *argv);
    mp_status mp_context_free(mp_context *context);
    const void *mp_buffer_data(const mp_buffer *buffer, size_t *len);
    mp_status mp_buffer_free(mp_buffer *buffer);
    mp_status mp_name_unlink(const char *name);
    mp_status mp_names_reap(size_t *count);
    mp_status mp_descriptor(const void *handle, int *descriptor);
    typedef struct mp_lock_options {
        size_t size;
        bool report_owner_death;
        const char *name;
        int open;
        unsigned int mode;
    } mp_lock_options;
    mp_status mp_lock_options_init(mp_lock_options *options, size_t size);
    mp_status mp_lock_new(mp_lock **lock, const mp_lock_options *options);
    mp_status mp_lock_acquire(mp_lock *lock, mp_timeout timeout);
    mp_status mp_lock_release(mp_lock *lock);
    mp_status mp_lock_locked(const mp_lock *lock, bool *locked);
    mp_status mp_lock_recovered(const mp_lock *lock, bool *recovered);
    mp_status mp_lock_free(mp_lock *lock);
    typedef struct mp_event_options {
        size_t size;
        const char *name;
        int open;
        unsigned int mode;
    } mp_event_options;
    mp_status mp_event_options_init(mp_event_options *options, size_t size);
    mp_status mp_event_new(mp_event **event, const mp_event_options *options);
    mp_status mp_event_set(mp_event *event);
    mp_status mp_event_clear(mp_event *event);
    mp_status mp_event_is_set(const mp_event *event, bool *set);
    mp_status mp_event_wait(mp_event *event, mp_timeout timeout);
    mp_status mp_event_free(mp_event *event);
    typedef struct mp_queue_options {
        size_t size;
        size_t maxsize;
        size_t maxbytes;
        size_t ring;
        const char *name;
        int open;
        unsigned int mode;
        size_t memory;
    } mp_queue_options;
    mp_status mp_queue_options_init(mp_queue_options *options, size_t size);
    mp_status mp_queue_new(mp_queue **queue, const mp_queue_options *options);
    mp_status mp_queue_put(mp_queue *queue, const void *data, size_t len, mp_timeout timeout);
    mp_status mp_queue_put_none(mp_queue *queue, mp_timeout timeout);
    mp_status mp_queue_get_buffer(mp_queue *queue, mp_buffer **buffer, mp_timeout timeout);
    mp_status mp_queue_size(const mp_queue *queue, size_t *size);
    mp_status mp_queue_shutdown(mp_queue *queue, bool immediate);
    mp_status mp_queue_free(mp_queue *queue);
    typedef struct mp_bytes {
        const void *data;
        size_t len;
    } mp_bytes;
    typedef struct mp_pool_options {
        size_t size;
        size_t workers;
        int start_method;
        const mp_context *context;
        mp_task_fn initializer;
        void *initializer_user;
        const void *initializer_data;
        size_t initializer_len;
        size_t max_tasks;
        size_t max_memory;
        const char *name;
        bool watch;
        const char *trace;
        const size_t *cpus;
        size_t cpu_count;
        bool tag_stderr;
    } mp_pool_options;
    mp_status mp_pool_options_init(mp_pool_options *options, size_t size);
    mp_status mp_pool_new(mp_pool **pool, const mp_pool_options *options);
    mp_status mp_pool_free(mp_pool *pool);
    mp_status mp_result_get_each(const mp_result *result, mp_timeout timeout, mp_buffer **out, size_t n);
    mp_status mp_result_wait(const mp_result *result, mp_timeout timeout);
    mp_status mp_result_cancel(mp_result *result, mp_timeout grace);
    mp_status mp_result_free(mp_result *result);
    mp_status mp_pool_map_async(mp_pool *pool, mp_task_fn function, void *user, const mp_bytes *in, size_t n,
                                const mp_map_options *map, const mp_async_options *options, mp_result **result);
    /* end */
  C
  SCALARS = {
    "void" => Fiddle::TYPE_VOID, "bool" => -Fiddle::TYPE_CHAR, "int" => Fiddle::TYPE_INT,
    "unsigned int" => -Fiddle::TYPE_INT, "size_t" => Fiddle::TYPE_SIZE_T, "mp_status" => Fiddle::TYPE_INT,
    "mp_timeout" => Fiddle::TYPE_LONG_LONG
  }.freeze
  FOREVER = (1 << 63) - 1
  private_constant :DECLARATIONS, :SCALARS, :FOREVER

  # A call failed: status is its mp_status, code that number's name.
  class Error < StandardError
    attr_reader :status, :code

    def initialize(status, sentence)
      super(sentence)
      @status = status
      @code = LIBRARY.mp_status_name(status).to_s
    end
  end

  # The time ran out: nothing came, or there was no room.
  class TimeoutError < Error; end
  # The queue was shut down.
  class ClosedError < Error; end
  # A task's function said that it failed.
  class TaskFailed < Error; end
  # A worker died while it ran a task.
  class WorkerDied < Error; end

  WAITING = [-9, -10, -11].freeze # TIMEOUT, EMPTY, FULL
  ERRORS = { -13 => ClosedError, -20 => TaskFailed, -21 => WorkerDied }.merge(WAITING.to_h { |s| [s, TimeoutError] })
  private_constant :WAITING, :ERRORS

  # The functions, each a method, and the structs.
  class Library
    attr_reader :structs

    def initialize(path)
      @handle = Fiddle.dlopen(path)
      @structs = DECLARATIONS.scan(/typedef struct (\w+) \{(.*?)\}/m).to_h do |name, body|
        types, names = members(body).transpose
        [name, Fiddle::CStructBuilder.create(Fiddle::CStruct, types, names)]
      end
      functions = DECLARATIONS.gsub(%r{typedef struct.*?\} \w+;|/\*.*?\*/}m, "")
      functions.scan(/([\w ]+?[ *]+)(mp_\w+)\((.*?)\);/m) do |result, name, parameters|
        types = members(parameters).map(&:first)
        function = Fiddle::Function.new(@handle[name], types, type(result.strip))
        define_singleton_method(name) { |*arguments| function.call(*arguments) }
      end
    end

    # The function's address.
    def [](name)
      @handle[name]
    end

    private

    def type(text)
      text.end_with?("*", "_fn", "mp_function") ? Fiddle::TYPE_VOIDP : SCALARS.fetch(text)
    end

    # The type and name of each of "T a; U *b" and the like.
    def members(text)
      parts = text.split(/[;,]/).map(&:strip) - ["", "void"]
      parts.map { |part| part.match(/\A(.*?)(\w+)\z/m) }.map { |m| [type(m[1].strip), m[2]] }
    end
  end
  private_constant :Library

  LIBRARY = Library.new(ENV.fetch("LIBMP", "libmp.so.0"))
  private_constant :LIBRARY

  # What the classes have in common; not for programs.
  module Calls
    module_function

    def check(status)
      raise ERRORS.fetch(status, Error).new(status, LIBRARY.mp_last_error.to_s) if status.negative?

      status
    end

    # A place of 8 bytes for what a call hands out.
    def place
      Fiddle::Pointer.malloc(8, Fiddle::RUBY_FREE).tap { |p| p[0, 8] = "\0" * 8 }
    end

    def number(place, format = "J")
      place[0, 8].unpack1(format)
    end

    # The string in a buffer, which is freed; nil for no buffer.
    def taken(buffer)
      return nil if buffer.zero?

      size = place
      data = LIBRARY.mp_buffer_data(buffer, size)
      number(size).zero? ? "".b : data[0, number(size)]
    ensure
      LIBRARY.mp_buffer_free(buffer) unless buffer.zero?
    end

    # A string as C has them.
    def text(string)
      raise ArgumentError, "string contains null byte" if string.include?("\0")

      "#{string}\0"
    end

    # Copies where the garbage collector moves nothing, and their addresses. They live as long as the first.
    def copies(strings)
      block = Fiddle::Pointer.malloc([strings.sum(&:bytesize), 1].max, Fiddle::RUBY_FREE)
      at = 0
      addresses = strings.map do |string|
        block[at, string.bytesize] = string unless string.empty?
        (block + at).to_i.tap { at += string.bytesize }
      end
      [block, addresses]
    end

    # The library's defaults, and what is given that is not nil.
    def options(noun, name: nil, **given)
      struct = LIBRARY.structs["mp_#{noun}_options"]
      options = struct.malloc(Fiddle::RUBY_FREE)
      check(LIBRARY.public_send("mp_#{noun}_options_init", options, struct.size))
      unless name.nil?
        block, (given[:name],) = copies([text(name)])
        options.instance_variable_set(:@name, block)
      end
      given.compact.each { |member, value| options[member.to_s] = value }
      options
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
  private_constant :Calls

  # A handle of libmp's, freed once.
  class Handle
    include Calls

    def self.open(...)
      object = new(...)
      begin
        yield object
      ensure
        object.close
      end
    end

    def initialize(noun, handle = nil, **given)
      @noun = noun
      if handle.nil?
        handle = place
        check(LIBRARY.public_send("mp_#{noun}_new", handle, options(noun, **given)))
        handle = number(handle)
      end
      @handle = Fiddle::Pointer.new(handle, 0, LIBRARY["mp_#{noun}_free"])
    end

    # Frees the handle. Who uses the object after that is told MP_ERR_BAD_HANDLE.
    def close
      handle, @handle = @handle, nil
      handle&.call_free
    end

    # A descriptor that is readable while the object is ready. Only poll it; the handle closes it.
    def fileno
      fd = place
      check(LIBRARY.mp_descriptor(@handle, fd))
      number(fd, "l")
    end

    def to_io
      IO.for_fd(fileno, autoclose: false)
    end

    private

    def ask(what, format)
      answer = place
      check(LIBRARY.public_send("mp_#{@noun}_#{what}", @handle, answer))
      number(answer, format)
    end

    # Makes a call that does not wait, whenever the object may be ready, until it has something to say.
    def eventually(timeout)
      deadline = timeout && (now + timeout)
      loop do
        status = yield
        left = deadline ? deadline - now : 1
        return check(status) if !WAITING.include?(status) || left <= 0

        # Not for longer: another thread may close the handle.
        begin
          to_io.wait_readable([left, 1].min)
        rescue Errno::EBADF
          # It did just now, which the call finds out.
        end
      end
    end

    # Whether it came in time.
    def in_time?(timeout, &call)
      eventually(timeout, &call)
      true
    rescue TimeoutError
      false
    end
  end

  # A queue of messages, which are strings, or nil: the consumer's sign to stop.
  class Queue < Handle
    include Enumerable

    def initialize(name: nil, maxsize: nil)
      super("queue", name: name, maxsize: maxsize)
    end

    # Puts a copy; when this returns, consumers have it.
    def put(message, timeout: nil)
      deadline = timeout && (now + timeout)
      limit = 0
      loop do
        status =
          if message.nil?
            LIBRARY.mp_queue_put_none(@handle, limit)
          else
            LIBRARY.mp_queue_put(@handle, message, message.bytesize, limit)
          end
        left = deadline ? deadline - now : 1
        return self if check_unless_full(status, left)

        # No descriptor tells of room. Other threads run meanwhile; this one sees now and then whether it still shall.
        limit = ([left, 0.05].min * 1e9).to_i
      end
    end
    alias << put

    # The oldest message.
    def get(timeout: nil)
      buffer = place
      eventually(timeout) { LIBRARY.mp_queue_get_buffer(@handle, buffer, 0) }
      taken(number(buffer))
    end

    # Until nil comes, or the queue is shut down and empty.
    def each
      while (message = get)
        yield message
      end
    rescue ClosedError
      nil
    end

    def size
      ask("size", "J")
    end

    # Nobody may put any more; what is there can be got unless immediate is true.
    def shutdown(immediate: false)
      check(LIBRARY.mp_queue_shutdown(@handle, immediate ? 1 : 0))
    end

    private

    def check_unless_full(status, left)
      status == -11 && left.positive? ? nil : check(status)
    end
  end

  # A lock between processes. It goes on when its holder is killed: see recovered?.
  class Lock < Handle
    def initialize(name: nil)
      super("lock", name: name)
    end

    # Whether it was acquired in time.
    def acquire(timeout: nil)
      in_time?(timeout) { LIBRARY.mp_lock_acquire(@handle, 0) }
    end

    def release
      check(LIBRARY.mp_lock_release(@handle))
    end

    # Runs the block with the lock held, and tells it whether the last holder died.
    def synchronize
      acquire
      begin
        yield recovered?
      ensure
        release
      end
    end

    # Whether this process holds the lock and got it from a holder that died: look at what it guards.
    def recovered?
      ask("recovered", "C") != 0
    end

    def locked?
      ask("locked", "C") != 0
    end
  end

  # A flag that processes set, clear and wait for.
  class Event < Handle
    def initialize(name: nil)
      super("event", name: name)
    end

    def set
      check(LIBRARY.mp_event_set(@handle))
    end

    def clear
      check(LIBRARY.mp_event_clear(@handle))
    end

    def set?
      ask("is_set", "C") != 0
    end

    # Whether it was set in time.
    def wait(timeout: nil)
      in_time?(timeout) { LIBRARY.mp_event_wait(@handle, 0) }
    end
  end

  # Worker processes that run a program in C, whose functions have names there: mp_register_target. executable: its
  # path, or its arguments in an array that begins with the path. No Ruby runs in a worker.
  class Pool < Handle
    def initialize(executable, workers: 0)
      block, addresses = copies(Array(executable).map { |argument| text(argument) })
      context = place
      check(LIBRARY.mp_context_new_executable(context, addresses.first, [*addresses, 0].pack("J*")))
      block.call_free
      super("pool", workers: workers, context: number(context))
    ensure
      LIBRARY.mp_context_free(number(context)) if context
    end

    # The results in the items' order; the first failure is raised. What is given up is cancelled.
    def map(name, items, timeout: nil)
      block, addresses = copies(items)
      passed = addresses.zip(items.map(&:bytesize)).flatten.pack("J*")
      target, result = place, place
      check(LIBRARY.mp_get_target(text(name), target))
      check(LIBRARY.mp_pool_map_async(@handle, number(target), nil, passed, items.size, nil, nil, result))
      block.call_free
      Call.open("result", number(result)) { |call| call.results(items.size, timeout) }
    end

    def apply(name, item, timeout: nil)
      map(name, [item], timeout: timeout).first
    end
  end

  # A map that is on its way.
  class Call < Handle
    def results(count, timeout)
      eventually(timeout) { LIBRARY.mp_result_wait(@handle, 0) }
      over = true
      buffers = Fiddle::Pointer.malloc([8 * count, 8].max, Fiddle::RUBY_FREE)
      status = LIBRARY.mp_result_get_each(@handle, 0, buffers, count)
      values = buffers[0, 8 * count].unpack("J*").map { |buffer| taken(buffer) }
      check(status)
      values
    ensure
      LIBRARY.mp_result_cancel(@handle, 100_000_000) unless over
    end
  end
  private_constant :Call

  # Takes a name away. Whoever has the object open goes on with it.
  def self.unlink(name)
    Calls.check(LIBRARY.mp_name_unlink(Calls.text(name)))
  end

  # Takes away the names whose users are all dead; how many these were.
  def self.reap
    count = Calls.place
    Calls.check(LIBRARY.mp_names_reap(count))
    Calls.number(count)
  end
end
