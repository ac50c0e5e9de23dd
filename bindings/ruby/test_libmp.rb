# frozen_string_literal: true

# test_libmp.rb PEER NAME: the binding's test, with bindings/peer.c at the other end and names that begin so.
require "timeout"
require_relative "libmp"

PEER, PREFIX = ARGV

def assert(good, what = "it does not hold")
  raise what unless good
end

def equal(wanted, got)
  assert wanted == got, "wanted #{wanted.inspect}, got #{got.inspect}"
end

def fails(code)
  yield
rescue Libmp::Error => e
  equal code, e.code
  e.message
else
  raise "nothing failed with #{code}"
end

def raises(kind)
  yield
rescue kind
  nil
else
  raise "nothing raised #{kind}"
end

def number(number)
  [number].pack("q<")
end

def run(*arguments)
  IO.popen([PEER, *arguments], "r+")
end

def test_queue
  echo = run("echo", "#{PREFIX}-queue")
  there = Libmp::Queue.new(name: "#{PREFIX}-queue-in")
  back = Libmp::Queue.new(name: "#{PREFIX}-queue-out")
  fails("MP_ERR_EMPTY") { back.get(timeout: 0) }
  raises(Libmp::TimeoutError) { back.get(timeout: 0.01) }
  messages = ["", "\0\xff".b, "long" * 500_000] + (1..1000).map { |i| "message #{i}" }
  messages.each { |message| there.put(message, timeout: 30) }
  messages.each { |message| equal message.b.reverse, back.get(timeout: 30) }
  consumers = Array.new(2) { Thread.new { back.get(timeout: 30) } }
  there << "12" << "34"
  equal %w[21 43], consumers.map(&:value).sort
  there << "5" << "6" << nil
  equal %w[5 6], back.to_a
  echo.close
  equal 0, $?.exitstatus
  equal 0, back.size
  back.shutdown
  raises(Libmp::ClosedError) { back.put("") }
  equal [], back.to_a
  waits = Thread.new { fails("MP_ERR_BAD_HANDLE") { there.get } }
  there.close
  there.close
  waits.join
  back.close
  small = Libmp::Queue.new(maxsize: 1)
  small << "1"
  fails("MP_ERR_FULL") { small.put("2", timeout: 0.01) }
  second = Thread.new { small << "2" }
  equal %w[1 2], [small.get(timeout: 30), small.get(timeout: 30)]
  second.join
  Libmp.unlink("#{PREFIX}-queue-in")
  Libmp.unlink("#{PREFIX}-queue-out")
  fails("MP_ERR_NOT_FOUND") { Libmp.unlink("#{PREFIX}-queue-in") }
  raises(ArgumentError) { Libmp::Queue.new(name: "#{PREFIX}\0") }
  assert Libmp.reap >= 0
end

def test_lock
  lock = Libmp::Lock.new(name: "#{PREFIX}-lock")
  holder = run("lock", "#{PREFIX}-lock")
  equal "held\n", holder.gets
  assert lock.locked? && !lock.acquire(timeout: 0.02)
  Process.kill(:KILL, holder.pid)
  holder.close
  equal 9, $?.termsig
  equal "told", lock.synchronize { |died| died && "told" }
  # One after the other, also within this process.
  inside = 0
  threads = Array.new(4) do
    Thread.new do
      20.times do
        lock.synchronize do |died|
          assert !died && inside.zero?
          inside += 1
          Thread.pass
          inside -= 1
        end
      end
    end
  end
  threads.each(&:join)
  raises(ArgumentError) { lock.synchronize { raise ArgumentError } }
  assert !lock.locked?
  fails("MP_ERR_OVER_RELEASE") { lock.release }
  lock.close
  Libmp.unlink("#{PREFIX}-lock")
end

def test_event
  event = Libmp::Event.new(name: "#{PREFIX}-event")
  assert !event.set? && !event.wait(timeout: 0.01)
  setter = run("event", "#{PREFIX}-event")
  # Together with other things that Ruby can wait for, and beside a thread that goes on.
  reader, = IO.pipe
  turns = 0
  other = Thread.new { loop { turns += 1 and sleep(0.001) } }
  later = Thread.new do
    sleep(0.001) until turns.positive?
    setter.puts
  end
  equal [[event], [], []], IO.select([event, reader], nil, nil, 30)
  assert event.wait(timeout: 0)
  [other, later].each(&:kill)
  setter.close
  event.clear
  assert !event.set?
  # Timeout and signals end a wait.
  raises(Timeout::Error) { Timeout.timeout(0.02) { event.wait } }
  raises(Interrupt) do
    Thread.new { sleep(0.02) and Process.kill(:INT, Process.pid) }
    event.wait
  end
  event.close
  Libmp.unlink("#{PREFIX}-event")
end

def test_pool
  items = (0...200).map { |i| number(i) }
  cubes = (0...200).map { |i| number(i**3) }
  Libmp::Pool.open(PEER, workers: 2) do |pool|
    equal cubes, pool.map("cube", items)
    equal [], pool.map("cube", [])
    assert fails("MP_ERR_TASK_FAILED") { pool.apply("cube", "7") }.include?("cube takes 8 bytes")
    assert fails("MP_ERR_WORKER_DIED") { pool.apply("die", "") }.include?("SIGKILL")
    fails("MP_ERR_UNKNOWN_TARGET") { pool.apply("unheard of", "") }
    raises(Libmp::TimeoutError) { pool.apply("sleeps", "", timeout: 0.01) }
    raises(Timeout::Error) { Timeout.timeout(0.02) { pool.apply("sleeps", "") } }
    threads = Array.new(3) { Thread.new { pool.map("cube", items) } }
    equal [cubes] * 3, threads.map(&:value)
  end
  fails("MP_ERR_OS") { Libmp::Pool.new("/nowhere/at/all") }
  assert fails("MP_ERR_NOT_INITIALIZED") { Libmp::Pool.new(["/bin/sh", "-c", "exit 3"]) }.include?("code 3")
end

def test_collected
  descriptors = -> { Dir.children("/proc/self/fd").size }
  GC.start
  before = descriptors.call
  200.times { Libmp::Event.new.fileno }
  while descriptors.call > before
    GC.start
    sleep(0.001)
  end
end

def test_fork
  event = Libmp::Event.new
  child = fork do
    event.set
    exit!(0)
  end
  assert event.wait(timeout: 30)
  Process.wait(child)
end

%i[queue lock event pool collected fork].each do |name|
  send("test_#{name}")
  puts name
end
