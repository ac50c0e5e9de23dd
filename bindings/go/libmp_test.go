// The binding's test, with bindings/peer.c at the other end: its arguments are PEER, and what all names begin with.
package libmp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var background = context.Background()

func good(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) {
		t.Fatalf("wanted %v, got %v", wanted, err)
	}
}

func equal[T comparable](t *testing.T, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("wanted %v, got %v", wanted, got)
	}
}

// must gives what comes without an error.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func soon(after time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(background, after)
	_ = cancel // Its time comes.
	return ctx
}

type peer struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func run(t *testing.T, arguments ...string) peer {
	command := exec.Command(flag.Arg(0), arguments...)
	command.Stderr = os.Stderr
	p := peer{command, must(command.StdinPipe()), bufio.NewReader(must(command.StdoutPipe()))}
	good(t, command.Start())
	return p
}

func named(what string) string { return flag.Arg(1) + "-" + what }

func number(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

func TestQueue(t *testing.T) {
	echo := run(t, "echo", named("queue"))
	there, back := must(NewQueue(named("queue-in"))), must(NewQueue(named("queue-out")))
	_, err := back.Get(soon(time.Millisecond))
	is(t, err, context.DeadlineExceeded)
	messages := [][]byte{{}, {0, 255}, bytes.Repeat([]byte("long"), 500_000)}
	for i := 0; i < 1000; i++ {
		messages = append(messages, []byte(fmt.Sprint("message ", i)))
	}
	go func() {
		for _, message := range messages {
			must(0, there.Put(background, message))
		}
	}()
	for _, message := range messages {
		answer := must(back.Get(soon(30 * time.Second)))
		for i, c := range message {
			if answer[len(message)-1-i] != c {
				t.Fatalf("wanted %q backwards, got %q", message, answer)
			}
		}
		equal(t, len(answer), len(message))
	}
	// Many wait for the same queue.
	var wait sync.WaitGroup
	var sum sync.Map
	for i := 0; i < 50; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			sum.Store(string(must(back.Get(soon(30*time.Second)))), true)
		}()
	}
	for i := 10; i < 60; i++ {
		good(t, there.Put(background, []byte(fmt.Sprint(i))))
	}
	wait.Wait()
	count := 0
	sum.Range(func(any, any) bool { count++; return true })
	equal(t, count, 50)
	good(t, there.PutEOF(background))
	_, err = back.Get(soon(30 * time.Second))
	is(t, err, io.EOF)
	good(t, echo.Wait())
	equal(t, must(back.Len()), 0)
	good(t, back.Shutdown(false))
	is(t, back.Put(background, nil), ErrClosed)
	_, err = back.Get(background)
	is(t, err, ErrClosed)
	// A handle that is closed ends who waits for it.
	waits := make(chan error)
	go func() {
		_, err := there.Get(background)
		waits <- err
	}()
	time.Sleep(time.Millisecond)
	good(t, there.Close())
	is(t, <-waits, ErrBadHandle)
	good(t, there.Close())
	good(t, back.Close())
	is(t, there.Put(background, nil), ErrBadHandle)
	small := must(NewQueue("", MaxSize(1)))
	good(t, small.Put(background, []byte("1")))
	is(t, small.Put(soon(time.Millisecond), []byte("2")), context.DeadlineExceeded)
	good(t, Unlink(named("queue-in")))
	good(t, Unlink(named("queue-out")))
	is(t, Unlink(named("queue-in")), ErrNotFound)
	_, err = NewQueue(named("\x00"))
	is(t, err, syscall.EINVAL)
	must(Reap())
}

func TestLock(t *testing.T) {
	lock := must(NewLock(named("lock")))
	holder := run(t, "lock", named("lock"))
	equal(t, must(holder.out.ReadString('\n')), "held\n")
	equal(t, must(lock.Locked()), true)
	is(t, lock.Lock(soon(20*time.Millisecond)), context.DeadlineExceeded)
	good(t, holder.Process.Kill())
	var ended *exec.ExitError
	if !errors.As(holder.Wait(), &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatal("the holder was not killed")
	}
	good(t, lock.Lock(soon(30*time.Second)))
	equal(t, must(lock.Recovered()), true)
	good(t, lock.Unlock())
	equal(t, must(lock.Recovered()), false)
	is(t, lock.Unlock(), ErrOverRelease)
	// Goroutines exclude each other.
	var wait sync.WaitGroup
	inside := 0
	for i := 0; i < 8; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := 0; i < 100; i++ {
				must(0, lock.Lock(background))
				inside++
				must(0, lock.Unlock())
			}
		}()
	}
	wait.Wait()
	equal(t, inside, 800)
	good(t, lock.Close())
	good(t, Unlink(named("lock")))
}

func TestEvent(t *testing.T) {
	event := must(NewEvent(named("event")))
	equal(t, must(event.IsSet()), false)
	is(t, event.Wait(soon(time.Millisecond)), context.DeadlineExceeded)
	setter := run(t, "event", named("event"))
	// All of them wait in the netpoller, where a goroutine holds no thread. How many threads there have been by then
	// says nothing: the runtime starts one wherever a call into C is not back in time, and keeps it.
	var wait sync.WaitGroup
	for i := 0; i < 300; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			must(0, event.Wait(soon(30*time.Second)))
		}()
	}
	stacks := make([]byte, 4<<20)
	for bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte(" [IO wait")) < 300 {
		time.Sleep(time.Millisecond)
	}
	must(setter.in.Write([]byte("\n")))
	wait.Wait()
	good(t, setter.Wait())
	good(t, event.Wait(background))
	good(t, event.Clear())
	equal(t, must(event.IsSet()), false)
	good(t, event.Close())
	good(t, Unlink(named("event")))
}

func TestPool(t *testing.T) {
	pool := must(NewPool(flag.Arg(0), PoolOptions{Workers: 2}))
	items := make([][]byte, 200)
	for i := range items {
		items[i] = number(int64(i))
	}
	all := func() {
		for i, cube := range must(pool.Map(background, "cube", items)) {
			n := int64(i)
			equal(t, string(cube), string(number(n*n*n)))
		}
	}
	all()
	equal(t, len(must(pool.Map(background, "cube", nil))), 0)
	_, err := pool.Apply(background, "cube", []byte("7"))
	is(t, err, ErrTaskFailed)
	equal(t, strings.Contains(err.Error(), "cube takes 8 bytes"), true)
	_, err = pool.Apply(background, "die", nil)
	is(t, err, ErrWorkerDied)
	equal(t, strings.Contains(err.Error(), "SIGKILL"), true)
	_, err = pool.Apply(background, "unheard of", nil)
	is(t, err, ErrUnknownTarget)
	_, err = pool.Apply(soon(10*time.Millisecond), "sleeps", nil)
	is(t, err, context.DeadlineExceeded)
	var wait sync.WaitGroup
	for i := 0; i < 4; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			all()
		}()
	}
	wait.Wait()
	good(t, pool.Close())
	_, err = pool.Apply(background, "cube", nil)
	is(t, err, ErrBadHandle)
	_, err = NewPool("/nowhere/at/all", PoolOptions{})
	equal(t, err != nil, true)
	_, err = NewPool("/bin/sh", PoolOptions{Arguments: []string{"-c", "exit 3"}})
	equal(t, strings.Contains(fmt.Sprint(err), "exited with code 3"), true)
}

func TestCollected(t *testing.T) {
	descriptors := func() int { return len(must(os.ReadDir("/proc/self/fd"))) }
	runtime.GC()
	before := descriptors()
	for i := 0; i < 200; i++ {
		event := must(NewEvent(""))
		is(t, event.Wait(soon(time.Microsecond)), context.DeadlineExceeded)
	}
	for descriptors() > before {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
}
