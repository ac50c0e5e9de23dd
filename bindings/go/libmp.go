// Package libmp has queues, locks, events and pools, whose other ends may be programs in C.
//
//	queue, err := libmp.NewQueue("jobs")
//	pool, err := libmp.NewPool("./worker")
//	message, err := queue.Get(ctx)
//	result, err := pool.Apply(ctx, "cube", message)
//
// What waits does so in Go's netpoller, until its context is done: no thread is blocked. What is not closed is freed
// when it is collected. mp.h and libmp.so are looked for where CGO_CFLAGS and CGO_LDFLAGS say.
package libmp

/*
#cgo LDFLAGS: -lmp
#include <mp.h>
#include <poll.h>
#include <stdlib.h>
*/
import "C"

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// Status is an mp_status, and what an Error is: errors.Is(err, libmp.ErrClosed).
type Status int

// The statuses that a program may want to tell apart; mp.h has them all.
const (
	ErrBadHandle     = Status(C.MP_ERR_BAD_HANDLE)
	ErrTimeout       = Status(C.MP_ERR_TIMEOUT)
	ErrEmpty         = Status(C.MP_ERR_EMPTY)
	ErrFull          = Status(C.MP_ERR_FULL)
	ErrClosed        = Status(C.MP_ERR_CLOSED)
	ErrOverRelease   = Status(C.MP_ERR_OVER_RELEASE)
	ErrUnknownTarget = Status(C.MP_ERR_UNKNOWN_TARGET)
	ErrTaskFailed    = Status(C.MP_ERR_TASK_FAILED)
	ErrWorkerDied    = Status(C.MP_ERR_WORKER_DIED)
	ErrCancelled     = Status(C.MP_ERR_CANCELLED)
	ErrNotFound      = Status(C.MP_ERR_NOT_FOUND)
)

func (s Status) Error() string { return C.GoString(C.mp_status_name(C.int(s))) }

// Error is a call that failed: its status, and a sentence.
type Error struct {
	Status  Status
	Message string
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Status }

// call makes a call of C's. Its sentence is the thread's, so the goroutine stays on that.
func call(f func() C.mp_status) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if s := f(); s < 0 {
		return &Error{Status(s), C.GoString(C.mp_last_error())}
	}
	return nil
}

// taken gives the bytes in a buffer, which is freed; nil for no buffer.
func taken(buffer *C.mp_buffer) []byte {
	if buffer == nil {
		return nil
	}
	defer C.mp_buffer_free(buffer)
	var size C.size_t
	data := C.mp_buffer_data(buffer, &size)
	return append([]byte{}, unsafe.Slice((*byte)(data), int(size))...)
}

// address is where the bytes are, for the time of a call.
func address(data []byte) unsafe.Pointer {
	if len(data) == 0 {
		return nil
	}
	return unsafe.Pointer(&data[0])
}

// text is a string of C's, to be freed.
func text(s string) (*C.char, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, syscall.EINVAL
	}
	return C.CString(s), nil
}

// name is the same for a name; NULL for the empty one.
func name(s string) (*C.char, error) {
	if s == "" {
		return nil, nil
	}
	return text(s)
}

// ---- handles ----

// A handle is freed once, by Close or when its owner is collected. It is NULL after that, which every call finds out.
type handle struct {
	mutex  sync.RWMutex
	p      unsafe.Pointer
	free   func(unsafe.Pointer) C.mp_status
	closed chan struct{}
}

func own(p unsafe.Pointer, free func(unsafe.Pointer) C.mp_status) *handle {
	h := &handle{p: p, free: free, closed: make(chan struct{})}
	runtime.SetFinalizer(h, func(h *handle) { h.Close() })
	return h
}

// Close frees the handle. Who waits for the object, and who uses it later, is told ErrBadHandle.
func (h *handle) Close() error {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	p := h.p
	if p == nil {
		return nil
	}
	h.p = nil
	close(h.closed)
	runtime.SetFinalizer(h, nil)
	return call(func() C.mp_status { return h.free(p) })
}

// use makes a call with the handle, which nobody frees meanwhile.
func (h *handle) use(f func(unsafe.Pointer) C.mp_status) error {
	h.mutex.RLock()
	defer h.mutex.RUnlock()
	return call(func() C.mp_status { return f(h.p) })
}

func readable(fd int) bool {
	p := C.struct_pollfd{fd: C.int(fd), events: C.POLLIN}
	return C.poll(&p, 1, 0) > 0
}

// eventually makes a call that does not wait, whenever the object may be ready, until it has something to say.
func (h *handle) eventually(ctx context.Context, try func(unsafe.Pointer) C.mp_status) error {
	tried := func() (bool, error) {
		err := h.use(try)
		return !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrEmpty), err
	}
	if done, err := tried(); done {
		return err
	}
	// A descriptor of this wait's own: of one that goroutines share only the first is heard.
	var fd C.int
	var dup int
	var failed error
	err := h.use(func(p unsafe.Pointer) C.mp_status {
		s := C.mp_descriptor(p, &fd)
		if s >= 0 {
			syscall.ForkLock.RLock()
			if dup, failed = syscall.Dup(int(fd)); failed == nil {
				syscall.CloseOnExec(dup)
			}
			syscall.ForkLock.RUnlock()
		}
		return s
	})
	if err != nil {
		return err
	} else if failed != nil {
		return failed
	}
	file := os.NewFile(uintptr(dup), "libmp")
	defer file.Close()
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-ctx.Done():
		case <-h.closed:
		case <-over:
			return
		}
		file.SetReadDeadline(time.Unix(1, 0))
	}()
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var said error
	err = raw.Read(func(uintptr) (done bool) {
		// The netpoller hears of changes alone. What stayed readable is tried again: what made it so came after the try.
		for done, said = tried(); !done && readable(dup); done, said = tried() {
		}
		return done
	})
	if err == nil {
		return said
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// The handle was closed: this says so.
	_, err = tried()
	return err
}

// ---- queues ----

// Queue is a queue of messages. io.EOF is the message "none": the consumer's sign to stop.
type Queue struct{ *handle }

// QueueOption is an option of NewQueue.
type QueueOption func(*C.mp_queue_options)

// MaxSize is the most messages at a time.
func MaxSize(n int) QueueOption {
	return func(o *C.mp_queue_options) { o.maxsize = C.size_t(n) }
}

// NewQueue opens or makes the queue of this name; "" for one without.
func NewQueue(named string, with ...QueueOption) (*Queue, error) {
	var o C.mp_queue_options
	C.mp_queue_options_init(&o, C.sizeof_mp_queue_options)
	var err error
	if o.name, err = name(named); err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(o.name))
	for _, option := range with {
		option(&o)
	}
	var q *C.mp_queue
	if err := call(func() C.mp_status { return C.mp_queue_new(&q, &o) }); err != nil {
		return nil, err
	}
	free := func(p unsafe.Pointer) C.mp_status { return C.mp_queue_free((*C.mp_queue)(p)) }
	return &Queue{own(unsafe.Pointer(q), free)}, nil
}

// Put puts a copy of a message; when it returns, consumers have it.
func (q *Queue) Put(ctx context.Context, message []byte) error {
	return q.put(ctx, func(p *C.mp_queue, limit C.mp_timeout) C.mp_status {
		return C.mp_queue_put(p, address(message), C.size_t(len(message)), limit)
	})
}

// PutEOF puts the message "none", for which one Get gives io.EOF.
func (q *Queue) PutEOF(ctx context.Context) error {
	return q.put(ctx, func(p *C.mp_queue, limit C.mp_timeout) C.mp_status { return C.mp_queue_put_none(p, limit) })
}

// No descriptor tells of room: a full queue takes a thread, which sees now and then whether it still shall wait.
func (q *Queue) put(ctx context.Context, try func(*C.mp_queue, C.mp_timeout) C.mp_status) error {
	var limit time.Duration
	for {
		err := q.use(func(p unsafe.Pointer) C.mp_status { return try((*C.mp_queue)(p), C.mp_timeout(limit)) })
		if !errors.Is(err, ErrFull) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		limit = 50 * time.Millisecond
	}
}

// Get gives the oldest message.
func (q *Queue) Get(ctx context.Context) ([]byte, error) {
	var buffer *C.mp_buffer
	err := q.eventually(ctx, func(p unsafe.Pointer) C.mp_status {
		return C.mp_queue_get_buffer((*C.mp_queue)(p), &buffer, 0)
	})
	if err == nil && buffer == nil {
		err = io.EOF
	}
	return taken(buffer), err
}

// Len gives how many messages are in the queue.
func (q *Queue) Len() (int, error) {
	var n C.size_t
	err := q.use(func(p unsafe.Pointer) C.mp_status { return C.mp_queue_size((*C.mp_queue)(p), &n) })
	return int(n), err
}

// Shutdown lets nobody put any more; what is there can be got unless immediate is true.
func (q *Queue) Shutdown(immediate bool) error {
	return q.use(func(p unsafe.Pointer) C.mp_status {
		return C.mp_queue_shutdown((*C.mp_queue)(p), C.bool(immediate))
	})
}

// ---- locks ----

// Lock is a lock between processes. It goes on when its holder is killed: see Recovered.
type Lock struct{ *handle }

// NewLock opens or makes the lock of this name; "" for one without.
func NewLock(named string) (*Lock, error) {
	var o C.mp_lock_options
	C.mp_lock_options_init(&o, C.sizeof_mp_lock_options)
	var err error
	if o.name, err = name(named); err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(o.name))
	var l *C.mp_lock
	if err := call(func() C.mp_status { return C.mp_lock_new(&l, &o) }); err != nil {
		return nil, err
	}
	free := func(p unsafe.Pointer) C.mp_status { return C.mp_lock_free((*C.mp_lock)(p)) }
	return &Lock{own(unsafe.Pointer(l), free)}, nil
}

// Lock acquires the lock. Any goroutine may unlock it.
func (l *Lock) Lock(ctx context.Context) error {
	return l.eventually(ctx, func(p unsafe.Pointer) C.mp_status { return C.mp_lock_acquire((*C.mp_lock)(p), 0) })
}

// Unlock releases the lock.
func (l *Lock) Unlock() error {
	return l.use(func(p unsafe.Pointer) C.mp_status { return C.mp_lock_release((*C.mp_lock)(p)) })
}

// Recovered says whether this process holds the lock and got it from a holder that died: look at what it guards.
func (l *Lock) Recovered() (bool, error) {
	var answer C.bool
	err := l.use(func(p unsafe.Pointer) C.mp_status { return C.mp_lock_recovered((*C.mp_lock)(p), &answer) })
	return bool(answer), err
}

// Locked says whether anybody holds the lock.
func (l *Lock) Locked() (bool, error) {
	var answer C.bool
	err := l.use(func(p unsafe.Pointer) C.mp_status { return C.mp_lock_locked((*C.mp_lock)(p), &answer) })
	return bool(answer), err
}

// ---- events ----

// Event is a flag that processes set, clear and wait for.
type Event struct{ *handle }

// NewEvent opens or makes the event of this name; "" for one without.
func NewEvent(named string) (*Event, error) {
	var o C.mp_event_options
	C.mp_event_options_init(&o, C.sizeof_mp_event_options)
	var err error
	if o.name, err = name(named); err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(o.name))
	var e *C.mp_event
	if err := call(func() C.mp_status { return C.mp_event_new(&e, &o) }); err != nil {
		return nil, err
	}
	free := func(p unsafe.Pointer) C.mp_status { return C.mp_event_free((*C.mp_event)(p)) }
	return &Event{own(unsafe.Pointer(e), free)}, nil
}

// Set sets the event.
func (e *Event) Set() error {
	return e.use(func(p unsafe.Pointer) C.mp_status { return C.mp_event_set((*C.mp_event)(p)) })
}

// Clear clears the event.
func (e *Event) Clear() error {
	return e.use(func(p unsafe.Pointer) C.mp_status { return C.mp_event_clear((*C.mp_event)(p)) })
}

// IsSet says whether it is set.
func (e *Event) IsSet() (bool, error) {
	var answer C.bool
	err := e.use(func(p unsafe.Pointer) C.mp_status { return C.mp_event_is_set((*C.mp_event)(p), &answer) })
	return bool(answer), err
}

// Wait waits until it is set.
func (e *Event) Wait(ctx context.Context) error {
	return e.eventually(ctx, func(p unsafe.Pointer) C.mp_status { return C.mp_event_wait((*C.mp_event)(p), 0) })
}

// ---- pools ----

// Pool is worker processes that run a program in C, whose functions have names there: mp_register_target. No Go runs
// in a worker.
type Pool struct{ *handle }

// PoolOptions are how a pool shall be.
type PoolOptions struct {
	// How many, 0 for as many as there are CPUs.
	Workers int
	// What the executable is called with, after its path.
	Arguments []string
}

// NewPool starts workers that run this executable.
func NewPool(executable string, options PoolOptions) (*Pool, error) {
	argv := C.calloc(C.size_t(len(options.Arguments)+2), C.size_t(unsafe.Sizeof(uintptr(0))))
	defer C.free(argv)
	places := unsafe.Slice((**C.char)(argv), len(options.Arguments)+2)
	for i, argument := range append([]string{executable}, options.Arguments...) {
		var err error
		if places[i], err = text(argument); err != nil {
			return nil, err
		}
		defer C.free(unsafe.Pointer(places[i]))
	}
	var runs *C.mp_context
	err := call(func() C.mp_status { return C.mp_context_new_executable(&runs, places[0], (**C.char)(argv)) })
	if err != nil {
		return nil, err
	}
	defer C.mp_context_free(runs)
	var o C.mp_pool_options
	C.mp_pool_options_init(&o, C.sizeof_mp_pool_options)
	o.context = runs
	o.workers = C.size_t(options.Workers)
	var p *C.mp_pool
	if err := call(func() C.mp_status { return C.mp_pool_new(&p, &o) }); err != nil {
		return nil, err
	}
	free := func(p unsafe.Pointer) C.mp_status { return C.mp_pool_free((*C.mp_pool)(p)) }
	return &Pool{own(unsafe.Pointer(p), free)}, nil
}

// Map gives the function's result for each item, in their order, or the first failure. What is not done when the
// context is, is cancelled.
func (p *Pool) Map(ctx context.Context, function string, items [][]byte) ([][]byte, error) {
	named, err := text(function)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(named))
	var target C.mp_function
	if err := call(func() C.mp_status { return C.mp_get_target(named, &target) }); err != nil {
		return nil, err
	}
	// C may not be handed pointers to Go's memory within Go's memory.
	passed := C.calloc(C.size_t(len(items)+1), C.sizeof_mp_bytes)
	defer C.free(passed)
	places := unsafe.Slice((*C.mp_bytes)(passed), len(items))
	for i, item := range items {
		if len(item) > 0 {
			data := C.CBytes(item)
			defer C.free(data)
			places[i] = C.mp_bytes{data: data, len: C.size_t(len(item))}
		}
	}
	var r *C.mp_result
	err = p.use(func(p unsafe.Pointer) C.mp_status {
		return C.mp_pool_map_async((*C.mp_pool)(p), target, nil, (*C.mp_bytes)(passed), C.size_t(len(items)), nil, nil, &r)
	})
	if err != nil {
		return nil, err
	}
	result := own(unsafe.Pointer(r), func(p unsafe.Pointer) C.mp_status { return C.mp_result_free((*C.mp_result)(p)) })
	defer result.Close()
	err = result.eventually(ctx, func(p unsafe.Pointer) C.mp_status { return C.mp_result_wait((*C.mp_result)(p), 0) })
	if err != nil {
		// Too late is fine.
		C.mp_result_cancel(r, C.mp_timeout(100*time.Millisecond))
		return nil, err
	}
	buffers := make([]*C.mp_buffer, len(items)+1)
	err = call(func() C.mp_status { return C.mp_result_get_each(r, 0, &buffers[0], C.size_t(len(items))) })
	results := make([][]byte, len(items))
	for i := range results {
		results[i] = taken(buffers[i])
	}
	if err != nil {
		return nil, err
	}
	return results, nil
}

// Apply gives the function's result for one item.
func (p *Pool) Apply(ctx context.Context, function string, item []byte) ([]byte, error) {
	results, err := p.Map(ctx, function, [][]byte{item})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// ---- names ----

// Unlink takes a name away. Whoever has the object open goes on with it.
func Unlink(named string) error {
	name, err := text(named)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(name))
	return call(func() C.mp_status { return C.mp_name_unlink(name) })
}

// Reap takes away the names whose users are all dead, and gives how many these were.
func Reap() (int, error) {
	var n C.size_t
	err := call(func() C.mp_status { return C.mp_names_reap(&n) })
	return int(n), err
}
