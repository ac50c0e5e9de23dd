// Queues, locks, events and pools of libmp, whose other ends may be programs in C.
//
//     const queue = new Queue({ name: "jobs" }), pool = new Pool("./worker");
//     for await (const message of queue) console.log(await pool.apply("cube", message));
//
// Messages are Buffers. What may have to wait gives a promise, and waits in Node's loop by a descriptor; its last
// argument may have a timeout, in milliseconds, and an AbortSignal, signal. What is not closed is freed when it is
// collected. libmp.so.0 is loaded, or what LIBMP in the environment names.
import koffi from "koffi";

// As they are in mp.h: a check compares them.
const declarations = `
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
`;

// ---- the library ----

const scalars = { mp_status: "int", mp_timeout: "int64_t" };
const structs = new Set();

// koffi's word for a type of C. Where something is handed out the caller passes a typed array with a place for it.
function typeOf(text) {
  const [, target, stars] = text.match(/^(?:const )?(\w+(?: int)?) ?((?:\*(?:const )?)*)$/);
  if (target === "char") return text;
  if (target.endsWith("_fn") || target === "mp_function") return "void *";
  if (stars === "") return scalars[target] ?? target;
  if (stars !== "*" || !structs.has(target)) return "void *";
  return text.startsWith("const") ? `${target} *` : `_Out_ ${target} *`;
}

// What stands before and in each name of "T a; U *b" and the like.
function members(text) {
  const parts = text.split(/[;,]/).map((part) => part.trim().replace(/\s+/g, " "));
  return parts
    .filter((part) => part !== "" && part !== "void")
    .map((part) => part.match(/^(.*?)(\w+)$/))
    .map(([, type, name]) => [name, typeOf(type.trim())]);
}

function load() {
  const library = koffi.load(process.env.LIBMP ?? "libmp.so.0");
  const functions = {};
  for (const [, name, body] of declarations.matchAll(/typedef struct (\w+) \{(.*?)\}/gs)) {
    koffi.struct(name, Object.fromEntries(members(body)));
    structs.add(name);
  }
  const rest = declarations.replace(/typedef struct.*?\} \w+;|\/\*.*?\*\//gs, "");
  for (const [, result, name, parameters] of rest.matchAll(/([\w ]+?[ *]+)(mp_\w+)\((.*?)\);/gs)) {
    const types = members(parameters).map(([parameter, type]) => `${type} ${parameter}`);
    functions[name] = library.func(`${typeOf(result.trim())} ${name}(${types.join(", ")})`);
  }
  return functions;
}

const mp = load();

const TIMEOUT = -9, EMPTY = -10, FULL = -11;

/** A call failed. code is the status's name, status its number, an mp_status. */
export class MpError extends Error {
  constructor(status, message) {
    super(message);
    this.name = "MpError";
    this.status = status;
    this.code = mp.mp_status_name(status);
  }
}

function check(status) {
  if (status < 0) throw new MpError(status, mp.mp_last_error());
  return status;
}

// The place for a handle, and what came there.
const place = () => new BigUint64Array(1);

// The bytes in an mp_buffer, which is freed; null for no buffer.
function taken(buffer) {
  if (buffer === 0n) return null;
  try {
    const size = place();
    const data = mp.mp_buffer_data(buffer, size);
    // A view of libmp's memory, of which the Buffer is a copy.
    return size[0] === 0n ? Buffer.alloc(0) : Buffer.from(new Uint8Array(koffi.view(data, Number(size[0]))));
  } finally {
    mp.mp_buffer_free(buffer);
  }
}

function bytes(data) {
  return typeof data === "string" ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

// A string as C has them.
function text(string) {
  if (string.includes("\0")) throw new TypeError("The string contains null bytes");
  return string;
}

// The library's defaults, and what is given.
function options(noun, { name, ...given }) {
  const all = {};
  check(mp[`mp_${noun}_options_init`](all, koffi.sizeof(`mp_${noun}_options`)));
  if (name !== undefined) all.name = text(name);
  for (const [member, value] of Object.entries(given)) if (value !== undefined) all[member] = value;
  return all;
}

// ---- handles ----

const freed = new FinalizationRegistry(({ noun, handle }) => mp[`mp_${noun}_free`](handle));

class Handle {
  #noun;
  #waiting = new Set();
  #poll = null;

  constructor(noun, handle) {
    this.#noun = noun;
    this.handle = handle;
    freed.register(this, { noun, handle }, this);
  }

  /** Frees the handle: what waits for it is refused, as is all that comes after. */
  close() {
    this.#release()?.();
  }

  [Symbol.dispose]() {
    this.close();
  }

  // No longer this object's; what is given frees it.
  #release() {
    const { handle } = this;
    this.handle = null;
    if (handle === null) return undefined;
    freed.unregister(this);
    this.#wake();
    return () => mp[`mp_${this.#noun}_free`](handle);
  }

  // For what may take its time to free: in a thread.
  async closeAsync() {
    const { handle } = this;
    if (this.#release()) await new Promise((done) => mp[`mp_${this.#noun}_free`].async(handle, done));
  }

  ask(what, answer) {
    check(mp[`mp_${this.#noun}_${what}`](this.handle, answer));
    return answer[0];
  }

  #wake() {
    this.#poll?.close();
    this.#poll = null;
    for (const done of this.#waiting) done();
    this.#waiting.clear();
  }

  /** Until the object may be ready, or the time is over. libuv has one watcher for a descriptor, however many wait. */
  #ready(milliseconds, signal) {
    const fd = new Int32Array(1);
    check(mp.mp_descriptor(this.handle, fd));
    return new Promise((resolve, reject) => {
      const leave = (settle) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", aborted);
        this.#waiting.delete(done);
        if (this.#waiting.size === 0) {
          this.#poll?.close();
          this.#poll = null;
        }
        settle();
      };
      const done = () => leave(resolve);
      const aborted = () => leave(() => reject(signal.reason));
      const timer = milliseconds === Infinity ? undefined : setTimeout(done, Math.min(milliseconds, 2 ** 31 - 1));
      signal?.addEventListener("abort", aborted);
      this.#waiting.add(done);
      this.#poll ??= koffi.node.poll(fd[0], { readable: true }, () => this.#wake());
    });
  }

  /** Makes a call that does not wait, whenever the object is ready, until it has something to say. */
  async eventually(call, { timeout = Infinity, signal } = {}) {
    const end = performance.now() + timeout;
    for (;;) {
      signal?.throwIfAborted();
      const status = call();
      const left = end - performance.now();
      if ((status !== TIMEOUT && status !== EMPTY) || left <= 0) return check(status);
      await this.#ready(Math.ceil(left), signal);
    }
  }
}

function made(noun, given) {
  const handle = place();
  check(mp[`mp_${noun}_new`](handle, options(noun, given)));
  return handle[0];
}

// Whether it came in time.
async function inTime(promise) {
  try {
    await promise;
    return true;
  } catch (error) {
    if (error.status === TIMEOUT) return false;
    throw error;
  }
}

// ---- what there is ----

/** A queue of messages, which are Buffers, or null: the consumer's sign to stop. */
export class Queue extends Handle {
  constructor({ name, maxsize } = {}) {
    super("queue", made("queue", { name, maxsize }));
  }

  /** Puts a copy of a Buffer, a typed array or a string; when it is fulfilled, consumers have it. */
  async put(message, { timeout = Infinity, signal } = {}) {
    const end = performance.now() + timeout;
    const data = message === null ? null : bytes(message);
    const name = data === null ? "mp_queue_put_none" : "mp_queue_put";
    const parts = data === null ? [] : [data, data.length];
    for (;;) {
      signal?.throwIfAborted();
      const status = mp[name](this.handle, ...parts, 0);
      const left = end - performance.now();
      if (status !== FULL || left <= 0) return void check(status);
      // No descriptor tells of room: a thread waits, which sees every tenth of a second whether it still shall.
      const limit = BigInt(Math.ceil(Math.min(left, 100) * 1e6));
      const { handle } = this;
      const waited = await new Promise((done, failed) =>
        mp[name].async(handle, ...parts, limit, (error, s) => (error ? failed(error) : done(s))),
      );
      if (waited >= 0) return undefined;
    }
  }

  /** The oldest message. */
  async get(wait) {
    const buffer = place();
    await this.eventually(() => mp.mp_queue_get_buffer(this.handle, buffer, 0), wait);
    return taken(buffer[0]);
  }

  get length() {
    return Number(this.ask("size", place()));
  }

  /** Nobody may put any more; what is there can be got, unless immediate is true. */
  shutdown(immediate = false) {
    check(mp.mp_queue_shutdown(this.handle, immediate));
  }

  /** Until null comes, or the queue is shut down and empty. */
  async *[Symbol.asyncIterator]() {
    for (;;) {
      let message = null;
      try {
        message = await this.get();
      } catch (error) {
        if (error.code !== "MP_ERR_CLOSED") throw error;
      }
      if (message === null) return;
      yield message;
    }
  }
}

/** A lock between processes. It goes on when its holder is killed: see recovered. */
export class Lock extends Handle {
  constructor({ name } = {}) {
    super("lock", made("lock", { name }));
  }

  /** Whether it was acquired in time. */
  acquire(wait) {
    return inTime(this.eventually(() => mp.mp_lock_acquire(this.handle, 0), wait));
  }

  release() {
    check(mp.mp_lock_release(this.handle));
  }

  /** Calls a function with the lock held, and tells it whether the last holder died. */
  async run(call) {
    await this.acquire();
    try {
      return await call(this.recovered);
    } finally {
      this.release();
    }
  }

  get locked() {
    return this.ask("locked", new Uint8Array(1)) !== 0;
  }

  /** Whether this process holds the lock and got it from a holder that died: look at what it guards. */
  get recovered() {
    return this.ask("recovered", new Uint8Array(1)) !== 0;
  }
}

/** A flag that processes set, clear and wait for. */
export class Event extends Handle {
  constructor({ name } = {}) {
    super("event", made("event", { name }));
  }

  set() {
    check(mp.mp_event_set(this.handle));
  }

  clear() {
    check(mp.mp_event_clear(this.handle));
  }

  get isSet() {
    return this.ask("is_set", new Uint8Array(1)) !== 0;
  }

  /** Whether it was set in time. */
  wait(wait) {
    return inTime(this.eventually(() => mp.mp_event_wait(this.handle, 0), wait));
  }
}

/**
 * Worker processes that run a program in C, whose functions have names there: mp_register_target. executable: its
 * path, or its arguments in an array that begins with the path. workers: 0 for as many as there are CPUs. To make a
 * pool takes about a millisecond for each.
 */
export class Pool extends Handle {
  constructor(executable, { workers = 0 } = {}) {
    const argv = (Array.isArray(executable) ? executable : [executable]).map(text);
    const context = place();
    check(mp.mp_context_new_executable(context, argv[0], [...argv, null]));
    try {
      super("pool", made("pool", { workers, context: context[0] }));
    } finally {
      mp.mp_context_free(context[0]);
    }
  }

  /** Ends the workers; fulfilled when they are gone. */
  close() {
    return this.closeAsync();
  }

  /** The results in the items' order. The first failure is an error; what is given up is cancelled. */
  async map(name, items, wait) {
    const buffers = items.map(bytes);
    const passed = new BigUint64Array(2 * buffers.length);
    buffers.forEach((data, i) => {
      if (data.length > 0) passed.set([koffi.address(data), BigInt(data.length)], 2 * i);
    });
    const [target, result] = [place(), place()];
    check(mp.mp_get_target(text(name), target));
    check(mp.mp_pool_map_async(this.handle, target[0], null, passed, items.length, null, null, result));
    const call = new Handle("result", result[0]);
    try {
      await call.eventually(() => mp.mp_result_wait(call.handle, 0), wait);
      const values = new BigUint64Array(buffers.length);
      const status = mp.mp_result_get_each(call.handle, 0, values, buffers.length);
      const results = Array.from(values, taken);
      check(status);
      return results;
    } catch (error) {
      // Too late is fine.
      mp.mp_result_cancel(call.handle, 100_000_000);
      throw error;
    } finally {
      call.close();
    }
  }

  async apply(name, item, wait) {
    return (await this.map(name, [item], wait))[0];
  }
}

/** Takes a name away. Whoever has the object open goes on with it. */
export function unlink(name) {
  check(mp.mp_name_unlink(text(name)));
}

/** Takes away the names whose users are all dead; how many these were. */
export function reap() {
  const count = place();
  check(mp.mp_names_reap(count));
  return Number(count[0]);
}
