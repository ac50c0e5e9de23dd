/*
 * libmp: Python's multiprocessing for C and C++.
 * Processes, what they synchronise and share by, queues, and pools, which survive a kill.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Link with:  cc program.c $(pkg-config --cflags --libs libmp)
 *
 * First       main begins with mp_bootstrap(argc, argv). In a child that libmp started by running
 *             the executable again, that call does not return.
 *
 * Status      A call that can fail returns an mp_status and hands its results out through pointers.
 *             0 is MP_OK, a negative number is an error: test `< 0`. mp_last_error() is a sentence
 *             about the calling thread's last failure. On failure the results are untouched,
 *             unless the call says otherwise.
 *
 * Time        A timeout is in nanoseconds on the monotonic clock: MP_MS(50), MP_SEC(2).
 *             MP_NO_WAIT, and any negative number, tries once. MP_FOREVER has no limit.
 *             Signals do not cut a wait short.
 *
 * Bytes       What you pass is copied before the call returns. Where a length is 0 the pointer is
 *             not used and may be NULL. What you get stays yours, or lent, as the call says.
 *
 * Options     Structs whose first member is their size. Start one with its initialiser, for example
 *             mp_lock_options o = MP_LOCK_OPTIONS; NULL means the defaults. Every macro here is
 *             also a function, for languages that have no macros; an initialiser's is told the size
 *             that the struct has where it is called, so that a newer library may have a longer one.
 *
 * Handles     A pointer to an opaque type is a handle. NULL, a handle of another type, and one that
 *             was freed are found out and answered with MP_ERR_BAD_HANDLE. Freeing NULL does
 *             nothing.
 *
 * Threads     Any thread may use any handle, unless the call says otherwise. No call may be made from a
 *             signal handler, and no thread cancelled (pthread_cancel) inside one.
 *
 * Fork        After a fork a handle works in the child or answers MP_ERR_STATE; the call says which.
 *
 * Sections    status, library, time, start, context, buffer, name, lock, rlock, semaphore,
 *             condition, event, barrier, value, value_number, array, array_number, shared_memory,
 *             shareable_list, queue, queue_handles, queue_lend, queue_many, queue_state,
 *             priority_queue, priority_lease, wait, connection, connection_handles,
 *             connection_lend, connection_auth, pipe, listener, manager, item, proxy, proxy_items,
 *             managed_memory, object_type, object_call, process, control, family, child, pool,
 *             pool_map, imap, result, pool_async, pool_stats, task, log, log_queue, stats
 *
 * This file is generated from src/ffi by `make header`. Do not edit it.
 */

#ifndef MP_H
#define MP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MP_VERSION_MAJOR 0
#define MP_VERSION_MINOR 1
#define MP_VERSION_PATCH 0
#define MP_VERSION_STRING "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status -------------------------------------------------------------------------------------
 *
 * Statuses, and what the calling thread's last failure was.
 */

/*
 * What a call came to. 0 is success, negative numbers are errors, and the one positive number
 * is a success with news. The numbers never change and are never used again.
 */
typedef enum mp_status {
    /* Done. */
    MP_OK = 0,
    /* Done: you hold the lock, and its last holder died holding it. */
    MP_OWNER_DIED = 1,
    /* An argument makes no sense. */
    MP_ERR_INVALID = -1,
    /* A handle is NULL, was freed, or is of another type. */
    MP_ERR_BAD_HANDLE = -2,
    /* Not now, or not in this process. */
    MP_ERR_STATE = -3,
    /* mp_bootstrap was not called. */
    MP_ERR_NOT_INITIALIZED = -4,
    /* This system, or this version, cannot do it. */
    MP_ERR_UNSUPPORTED = -5,
    /* Memory, or room in the shared segment, is exhausted. */
    MP_ERR_NO_MEMORY = -6,
    /* A system call failed: see mp_last_errno. */
    MP_ERR_OS = -7,
    /* A bug in libmp, caught at its border. */
    MP_ERR_PANIC = -8,
    /* The time ran out. */
    MP_ERR_TIMEOUT = -9,
    /* Nothing is in the queue. */
    MP_ERR_EMPTY = -10,
    /* No room is in the queue. */
    MP_ERR_FULL = -11,
    /* The other end is gone, and all it sent was received. */
    MP_ERR_EOF = -12,
    /* This end was closed. */
    MP_ERR_CLOSED = -13,
    /* The buffer is too small; the message waits. */
    MP_ERR_TOO_SMALL = -14,
    /* The other side does not know the key. */
    MP_ERR_AUTH = -15,
    /* The barrier is broken. */
    MP_ERR_BROKEN_BARRIER = -16,
    /* Somebody else holds it. */
    MP_ERR_NOT_OWNER = -17,
    /* It was released more often than it was acquired. */
    MP_ERR_OVER_RELEASE = -18,
    /* The child has no such function. */
    MP_ERR_UNKNOWN_TARGET = -19,
    /* A task's function said that it failed. */
    MP_ERR_TASK_FAILED = -20,
    /* A worker died while it ran a task. */
    MP_ERR_WORKER_DIED = -21,
    /* Cancelled before it was done. */
    MP_ERR_CANCELLED = -22,
    /* The manager's server reports a failure. */
    MP_ERR_REMOTE = -23,
    /* Something has that name already. */
    MP_ERR_EXISTS = -24,
    /* Nothing has that name. */
    MP_ERR_NOT_FOUND = -25,
} mp_status;

/* Whether a status is a failure. */
#define MP_FAILED(status) ((status) < 0)

/* MP_FAILED as a function. */
bool mp_failed(int status);

/*
 * The status's name, "MP_ERR_TIMEOUT" for example; "unknown status" for a number that is none.
 * The text is static.
 */
const char *mp_status_name(int status);

/*
 * One sentence about this thread's last failure: the call, what was wrong, and the system's
 * words where a system call failed. Success does not touch it; before the first failure it is
 * "". Never NULL. It is this thread's and good until the thread's next failure.
 */
const char *mp_last_error(void);

/* The system's error number of this thread's last failure, 0 where no system call failed. */
int mp_last_errno(void);

/* ---- library ------------------------------------------------------------------------------------
 *
 * The library.
 */

/*
 * The version of the library that the program runs with, "0.1.0" for example.
 * MP_VERSION_STRING is the one it was compiled with. The text is static.
 */
const char *mp_version(void);

/*
 * Every main begins with this call. In a child that is a fresh run of the program (by spawn or by
 * the fork server) it does not return: the child does what it was started for, and exits.
 * Elsewhere it sets up what the program's processes share: one segment of memory without a name,
 * that goes with the last of them. Other calls do so as well when they need it; here is where a
 * failure is easiest to handle.
 *
 * argc, argv: main's, unchanged.
 *
 * MP_ERR_NO_MEMORY: RLIMIT_FSIZE, RLIMIT_AS or MP_SEGMENT_SIZE leaves no room for the segment.
 * MP_ERR_INVALID: MP_SEGMENT_SIZE is no number of bytes.
 * MP_ERR_OS: no descriptor is free, or the kernel refuses.
 *
 * Threads: any; all but the first call do nothing. Fork: a child need not call it again.
 */
mp_status mp_bootstrap(int argc, char **argv);

/*
 * How many CPUs this process may use: its affinity or its cgroup's quota, whichever is less,
 * and at least 1. The environment variable MP_CPU_COUNT overrides both.
 */
size_t mp_cpu_count(void);

/* ---- time ---------------------------------------------------------------------------------------
 *
 * Time. Timeouts are nanoseconds on the monotonic clock; signals do not cut a wait short.
 */

/* How long a call may wait, in nanoseconds. */
typedef int64_t mp_timeout;

/* Try once. A negative timeout means the same: a subtraction that went past its deadline must not
 * wait for ever. */
#define MP_NO_WAIT ((mp_timeout)0)
/* No limit. */
#define MP_FOREVER ((mp_timeout)INT64_MAX)
/* n milliseconds, n seconds. */
#define MP_MS(n) ((mp_timeout)(n) * 1000000)
#define MP_SEC(n) ((mp_timeout)(n) * 1000000000)

/* MP_NO_WAIT as a function. */
mp_timeout mp_no_wait(void);

/* MP_FOREVER as a function. */
mp_timeout mp_forever(void);

/* MP_MS as a function. A number too large is MP_FOREVER, one too small is MP_NO_WAIT. */
mp_timeout mp_ms(int64_t n);

/* MP_SEC as a function. A number too large is MP_FOREVER, one too small is MP_NO_WAIT. */
mp_timeout mp_sec(int64_t n);

/* ---- start --------------------------------------------------------------------------------------
 *
 * Start methods: how child processes and workers come into being.
 */

/* How a child comes into being. */
typedef enum mp_start_method {
    /* Whatever mp_set_start_method has set, fork if nothing. */
    MP_START_DEFAULT = 0,
    /*
     * As a copy of its parent, memory and descriptors included. In a process with several
     * threads the copy may lack what the other threads were doing.
     */
    MP_START_FORK = 1,
    /*
     * As a fresh run of the program's executable, which inherits nothing but its arguments,
     * stdin if asked for, stdout and stderr. It costs about a millisecond, whatever the
     * parent's size.
     */
    MP_START_SPAWN = 2,
    /*
     * As a copy of a server, which is a fresh run of the program that has one thread and is
     * started with the first such child. The child has its parent's environment, directory,
     * limits, stdout and stderr, as by fork; its memory is the server's. It costs about as much
     * as a fork of a small program, whatever the parent's size. The server is not the program's
     * own child, so that its wait, waitpid and SIGCHLD handler learn nothing of it; it takes no
     * part in the terminal's Ctrl-C, and ends with the last process that can reach it; one that
     * dies is replaced, and its children run on.
     */
    MP_START_FORKSERVER = 3,
} mp_start_method;

/* A function of any type, to be cast to its own before it is called. */
typedef void (*mp_function)(void);

/*
 * Sets the start method of those that name none: once, near the beginning of main. A child has
 * its parent's.
 *
 * method: an mp_start_method; with force also MP_START_DEFAULT, as if none had been set.
 * force: set it also where it was set before.
 *
 * MP_ERR_STATE: it has been set already.
 * MP_ERR_INVALID: there is no such method, or it is MP_START_DEFAULT without force.
 */
mp_status mp_set_start_method(int method, bool force);

/* The start method of those that name none: MP_START_FORK, if none was set. */
int mp_get_start_method(void);

/*
 * Has the fork server run a function before it makes its first child, so that what the function
 * prepares is there in all of them. Before the first child is started by the fork server, which
 * finds the function as a spawned child finds its target; one that it does not find is left out.
 *
 * function: a function without arguments.
 *
 * MP_ERR_INVALID: function is NULL.
 * MP_ERR_STATE: the fork server was started already.
 */
mp_status mp_forkserver_preload(mp_function function);

/*
 * Starts the fork server now, which is otherwise done with the first child that needs it. Nothing
 * is done if there is one.
 *
 * MP_ERR_NOT_INITIALIZED: main does not begin with mp_bootstrap.
 * MP_ERR_OS: no process or descriptor is to be had, or the executable cannot run.
 * MP_ERR_NO_MEMORY: the segment has no room for a process more.
 */
mp_status mp_forkserver_start(void);

/*
 * Gives up the fork server, which ends when nobody else uses it: neither a child that it made and
 * that still runs, nor the process that first used it. The next child that needs one has a new
 * one started. A process does this by itself at its normal end.
 *
 * If this process has started the server, and nobody else uses it, the call waits for its end;
 * for at most a second, should a preloaded function or a stop signal keep the server.
 */
mp_status mp_forkserver_stop(void);

/*
 * Names a function, so that spawned children find it by this name. Without a name it is found
 * by its module and its place there, which needs the same build of the same module; a name
 * also works where the child runs another executable. Call it before mp_bootstrap, since a
 * child registers its functions by the same call and does not return from there.
 *
 * name: 1 to 255 bytes, ended by a zero; copied.
 * function: an mp_process_fn or mp_task_fn, cast.
 *
 * MP_ERR_INVALID: name or function is NULL, or name has no such length.
 * MP_ERR_STATE: the name is another function's already.
 */
mp_status mp_register_target(const char *name, mp_function function);

/*
 * The function that has this name: the program's own where it has registered one, else what stands
 * for the function that another executable registers by this name. That can only be given to a
 * process or to a pool which is spawned, see mp_context_new_executable. Do not call it.
 *
 * name: 1 to 255 bytes, ended by a zero; copied.
 * function: where it goes; to be cast to an mp_process_fn or mp_task_fn.
 *
 * MP_ERR_INVALID: name or function is NULL, or name has no such length.
 * MP_ERR_NO_MEMORY: 1,024 names of other executables' functions are in use.
 *
 * What stands for a function does so until the program ends: mp_register_target answers
 * MP_ERR_STATE for its name, and a process or a pool that is not spawned MP_ERR_UNKNOWN_TARGET.
 */
mp_status mp_get_target(const char *name, mp_function *function);

/*
 * Sets what spawn runs instead of the program's own executable: for libraries in a host
 * program whose main is not theirs; for some of its children alone see
 * mp_context_new_executable. The program's main must begin with mp_bootstrap, and
 * functions must be registered by name in both, or lie in a shared library.
 *
 * path: the executable; copied. NULL for the program's own again.
 * argv: its arguments, argv[0] first, ended by NULL; copied. libmp appends one of its own.
 *     NULL for the path alone.
 */
mp_status mp_set_executable(const char *path, const char *const *argv);

/*
 * What spawn runs: the path that mp_set_executable was given last, or the name under which the
 * system knows a program's own executable.
 *
 * path: where it goes, ended by a zero; may be NULL where size is 0. size: bytes.
 * needed: the bytes that it takes, the zero included, go here also where they do not fit; may be
 *     NULL.
 *
 * MP_ERR_TOO_SMALL: size is less than that; nothing was written to path.
 * MP_ERR_INVALID: path is NULL, and size is not 0.
 */
mp_status mp_get_executable(char *path, size_t size, size_t *needed);

/* ---- context ------------------------------------------------------------------------------------
 *
 * Contexts: a start method to hand on, or another executable, so that a library need not touch the
 * program's default.
 */

/*
 * A start method for the options of whatever starts processes, and what is run. Any object may go
 * to a child of any context.
 */
typedef struct mp_context mp_context;

/*
 * Makes a context.
 *
 * context: where the handle goes.
 * method: an mp_start_method; MP_START_DEFAULT for whatever the default is when a process is
 *     started.
 *
 * MP_ERR_INVALID: there is no such method.
 */
mp_status mp_context_new(mp_context **context, int method);

/*
 * Makes a context whose processes and workers are spawned from another executable: for a program
 * whose own is not what they shall run, as one in another language. The executable's main must
 * begin with mp_bootstrap, and it finds its functions by name: see mp_get_target.
 *
 * context: where the handle goes. Its start method is MP_START_SPAWN.
 * path: the executable; copied.
 * argv: its arguments, argv[0] first, ended by NULL; copied. libmp appends one of its own.
 *     NULL for the path alone.
 *
 * MP_ERR_INVALID: path is NULL.
 *
 * Whether the executable can run, and is built with the same libmp, shows when it is started.
 * A child spawns this executable, too.
 */
mp_status mp_context_new_executable(mp_context **context,
                                    const char *path,
                                    const char *const *argv);

/*
 * The context's start method.
 *
 * method: where it goes; MP_START_DEFAULT for a context that follows the default.
 *
 * MP_ERR_STATE: the context belongs to another process.
 */
mp_status mp_context_start_method(const mp_context *context, int *method);

/*
 * Frees a context. What was made with it stays as it is. NULL is fine.
 *
 * MP_ERR_STATE: it belongs to another process.
 */
mp_status mp_context_free(mp_context *context);

/*
 * Every start method of this system, the library's default first.
 *
 * methods: they go here, as many as fit; may be NULL where capacity is 0.
 * capacity: how many fit.
 * count: how many there are goes here; may be NULL.
 *
 * MP_ERR_TOO_SMALL: there are more; none was written.
 * MP_ERR_INVALID: methods is NULL, and capacity is not 0.
 */
mp_status mp_get_all_start_methods(int *methods, size_t capacity, size_t *count);

/*
 * A start method's name: "fork", "spawn" or "forkserver"; NULL with mp_last_error() for a number
 * that is none of theirs. The text is static.
 */
const char *mp_start_method_name(int method);

/*
 * The start method of this name.
 *
 * name: "fork", "spawn" or "forkserver". method: where the mp_start_method goes.
 *
 * MP_ERR_INVALID: there is none of this name.
 */
mp_status mp_start_method_from_name(const char *name, int *method);

/* ---- buffer -------------------------------------------------------------------------------------
 *
 * Bytes that the library hands out and the caller frees, and bytes that the caller lends.
 */

/* Bytes that belong to their holder until mp_buffer_free. A handle of the process that has it. */
typedef struct mp_buffer mp_buffer;

/*
 * Bytes that belong to the caller: only read, and only during the call that they are passed
 * to.
 */
typedef struct mp_bytes {
    /* May be NULL where len is 0. */
    const void *data;
    /* Bytes. */
    size_t len;
} mp_bytes;

/*
 * Copies bytes into a new buffer.
 *
 * buffer: where the handle goes.
 * data: may be NULL where len is 0. len: bytes.
 *
 * MP_ERR_NO_MEMORY: there is no memory for the copy.
 */
mp_status mp_buffer_new(mp_buffer **buffer, const void *data, size_t len);

/*
 * The buffer's bytes, aligned for any type; NULL with mp_last_error() for a bad handle. An
 * empty buffer's address is not NULL and must not be followed.
 *
 * len: the number of bytes goes here; may be NULL.
 *
 * Threads: reading from many is fine. The address is good until mp_buffer_free.
 */
const void *mp_buffer_data(const mp_buffer *buffer, size_t *len);

/*
 * Frees a buffer, and gives up the handles and descriptors that came with it and nobody took. NULL
 * is fine.
 */
mp_status mp_buffer_free(mp_buffer *buffer);

/* ---- name ---------------------------------------------------------------------------------------
 *
 * Names, by which processes that are no relatives use the same object. One is given when the
 * object is made, in the options, which also say what to do where the name is there or is not.
 */

/* What to do with a name. */
typedef enum mp_open {
    /* Opens what has the name, and creates it where nothing has. */
    MP_OPEN_OR_CREATE = 0,
    /* Creates it: MP_ERR_EXISTS where something has the name. */
    MP_OPEN_CREATE = 1,
    /* Opens it: MP_ERR_NOT_FOUND where nothing has the name. */
    MP_OPEN_ATTACH = 2,
    /*
     * Added to one of the others: where this user has no such name, that of another user will
     * do if its mode lets this one. Whoever may open an object may also damage it, and cut its
     * file: see mp_name_unlink.
     */
    MP_OPEN_ANY_USER = 256,
} mp_open;

/*
 * Takes a name away. Whoever has the object open goes on with it, and may hand it to children;
 * who opens the name next gets another object.
 *
 * name: 1 to 200 bytes without a slash. Each user has names of their own.
 *
 * MP_ERR_NOT_FOUND: nothing has the name.
 * MP_ERR_INVALID: it is no name, or leads to something that is no file of this user's.
 * MP_ERR_TIMEOUT: a stopped process, or a stranger, has kept the file locked for seconds.
 * MP_ERR_OS: there is no /dev/shm, or it does not let us.
 *
 * An object with a name is a file there, of 32 KiB and what it holds. Freeing the last handle
 * leaves it, as it is with the names of POSIX; the next to open it finds it as it was. What a
 * process held when it freed its last handle to the object, or died, others take over as from
 * the dead. Where the last users died without having freed their handles, also by exit, the
 * next to open the name finds nothing, and the name is gone: see mp_names_reap.
 *
 * What is opened is as it was made: what it begins with (a value's or an array's initial items,
 * a semaphore's free slots where it has no bound) counts where it is created, and the rest must
 * be the same, or the call is MP_ERR_INVALID with a sentence that gives both: report_owner_death
 * of what has a lock, and whether it has one; a value's and an array's type; an array's length;
 * shared memory's size; how many items a list has, with how much room; bounded and give_back, and
 * with either of them the number of slots; a barrier's parties, timeout and action; a queue's
 * maxsize, maxbytes and ring. Of a queue that is there, memory says nothing.
 *
 * Making an object with a name may also come to these:
 * MP_ERR_INVALID: the name, open or mode makes no sense, or the name leads to an object of
 *     another type or made with other options, or to a file that is not libmp's, was damaged, or
 *     is another user's.
 * MP_ERR_EXISTS, MP_ERR_NOT_FOUND: see mp_open.
 * MP_ERR_UNSUPPORTED: the object was made by another version of libmp.
 * MP_ERR_TIMEOUT, MP_ERR_OS: as above. /proc is needed, too.
 * MP_ERR_NO_MEMORY: /dev/shm is full, or RLIMIT_FSIZE or RLIMIT_AS allow no file of the size; or
 *     1023 processes use the object; one that is larger has room for more.
 *
 * SIGBUS: whoever may write the file may cut it, by truncate or by opening it with O_TRUNC: any
 * process of this user, and those that the mode lets. Linux has no means against that. Libmp
 * cuts no file that has a name. A file that was cut is refused by who opens the name, and by a
 * child that uses its parent's handle for the first time; its last handle is freed without
 * touching it. Any other call on an object whose file is cut before it or meanwhile, and any
 * access to what mp_array_data, mp_value_data or mp_shared_memory_data gave, gets a SIGBUS,
 * which ends the process unless it handles that. Taking a name away, by whatever means, cuts
 * nothing.
 *
 * Fork: a child uses an object with a name through its parent's handle, and is a user of its
 * own from then on.
 */
mp_status mp_name_unlink(const char *name);

/*
 * Takes away the names of this user whose objects' users are all dead and did not all free their
 * handles.
 *
 * count: how many these were goes here; may be NULL.
 *
 * MP_ERR_OS: /dev/shm cannot be listed.
 */
mp_status mp_names_reap(size_t *count);

/* ---- lock ---------------------------------------------------------------------------------------
 *
 * Locks between processes. A lock belongs to the process that acquired it, and any process may
 * release it. When its holder dies it goes on: the next to acquire gets it, within 100 ms of
 * the death. For signalling from one process to another a lock is the wrong tool: what one
 * process takes for another to release is taken over when the taker exits.
 */

/* A lock, not recursive: who holds it and acquires it again waits for itself. */
typedef struct mp_lock mp_lock;

/* Options of mp_lock_new. */
typedef struct mp_lock_options {
    /* sizeof(mp_lock_options). */
    size_t size;
    /* mp_lock_acquire answers MP_OWNER_DIED, instead of MP_OK, where the last holder died. */
    bool report_owner_death;
    /*
     * The name by which other processes, relatives or not, open the same object: see
     * mp_name_unlink. NULL for none: the object goes with its last handle.
     */
    const char *name;
    /* Where there is a name: whether to create the object or to open it, an mp_open. */
    int open;
    /*
     * Where an object with a name is created: who may open it, as for chmod. 0600, and what is
     * given here besides; 0 for this user alone.
     */
    unsigned int mode;
} mp_lock_options;

/* The defaults: mp_lock_options o = MP_LOCK_OPTIONS; */
#define MP_LOCK_OPTIONS { sizeof(mp_lock_options), false, NULL, 0, 0 }

/*
 * MP_LOCK_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_lock_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_lock_options_init(mp_lock_options *options, size_t size);

/*
 * Makes a lock, not held. It costs 64 bytes of shared memory and no descriptor.
 *
 * lock: where the handle goes. options: NULL for the defaults.
 *
 * MP_ERR_NO_MEMORY: the shared segment is full.
 * MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
 *     MP_ERR_OS: only with a name, see mp_name_unlink.
 *
 * Fork: a child, also one that libmp did not make, uses the same lock through the same handle.
 */
mp_status mp_lock_new(mp_lock **lock, const mp_lock_options *options);

/*
 * Acquires the lock, waiting for it for up to timeout.
 *
 * timeout: nanoseconds.
 *
 * MP_OK: you hold it.
 * MP_OWNER_DIED: you hold it, and its last holder died holding it, so that what it guards may
 *     be half done. Only from a lock made with report_owner_death; for others see
 *     mp_lock_recovered.
 * MP_ERR_TIMEOUT: somebody held it all the time.
 *
 * A killed holder: the lock is taken from it. One that is stopped, or whose descriptors were
 * all closed, still lives; one that is a zombie, or has run exec, does not.
 * Threads: threads of one process exclude each other as well. Order among waiters is not
 * promised.
 */
mp_status mp_lock_acquire(mp_lock *lock, mp_timeout timeout);

/*
 * Releases the lock, whichever process or thread holds it; somebody who waits gets it.
 *
 * MP_ERR_OVER_RELEASE: nobody held it.
 */
mp_status mp_lock_release(mp_lock *lock);

/*
 * Whether anybody holds the lock, at some moment during the call. A dead holder still counts.
 *
 * locked: where the answer goes.
 */
mp_status mp_lock_locked(const mp_lock *lock, bool *locked);

/*
 * Whether this process holds the lock and got it from a holder that died; true until it is
 * released.
 *
 * recovered: where the answer goes.
 */
mp_status mp_lock_recovered(const mp_lock *lock, bool *recovered);

/*
 * Writes a text about the lock: "<Lock(owner=None)>", or with the name of the process that asks
 * where that one holds it, as in "<Lock(owner=MainProcess)>"; any other holder is
 * SomeOtherProcess.
 *
 * text: where it goes, with a zero at its end. size: bytes of that.
 * needed: how many bytes it takes, with the zero, goes here; may be NULL.
 *
 * MP_ERR_TOO_SMALL: it takes more than size. Only needed is written.
 * MP_ERR_INVALID: text is NULL, and size is not 0.
 *
 * A killed holder: described as a holder until somebody acquires the lock.
 */
mp_status mp_lock_describe(const mp_lock *lock, char *text, size_t size, size_t *needed);

#if defined(__GNUC__) || defined(__clang__)
#define MP_PASTE_(a, b) a##b
#define MP_JOIN_(a, b) MP_PASTE_(a, b)
#define MP_SCOPE_(noun, object)                                                                  \
    for (noun *MP_JOIN_(mp_held_, __LINE__) __attribute__((cleanup(noun##_leave))) =          \
                 noun##_enter(object),                                                        \
             *MP_JOIN_(mp_once_, __LINE__) = MP_JOIN_(mp_held_, __LINE__);                    \
         MP_JOIN_(mp_once_, __LINE__) != NULL; MP_JOIN_(mp_once_, __LINE__) = NULL)
/* MP_WITH_LOCK(lock) { ... } holds the lock, for which it waits without limit, and releases it
 * on every way out of the braces: their end, return, goto, break and continue, which both lead
 * behind the braces. Where the lock cannot be acquired, which is so for a bad handle only, the
 * braces are passed over, and mp_last_error() says why. There is one for each thing that can be
 * acquired: MP_WITH_RLOCK and so on. For compilers that have the cleanup attribute; for others
 * there is what it is made of, mp_lock_enter and mp_lock_leave. */
#define MP_WITH_LOCK(lock) MP_SCOPE_(mp_lock, lock)
#endif

/*
 * The begin of MP_WITH_LOCK: acquires without limit. Answers the handle, or NULL with
 * mp_last_error() where it could not.
 */
mp_lock *mp_lock_enter(mp_lock *lock);

/*
 * The end of MP_WITH_LOCK: gives the lock back, and sets the pointer to NULL.
 *
 * lock: points to the handle; nothing happens where either is NULL.
 */
void mp_lock_leave(mp_lock **lock);

/*
 * Frees this handle. NULL is fine. The lock goes with the last handle to it in any process; it
 * is not released by this.
 */
mp_status mp_lock_free(mp_lock *lock);

/* ---- rlock --------------------------------------------------------------------------------------
 *
 * Recursive locks between processes. An RLock belongs to the thread that acquired it, which may
 * acquire it again and releases it as often. When its process dies it goes on: the next to
 * acquire gets it, within 100 ms of the death, however often the dead thread had it.
 */

/* A lock that its holder may acquire again. */
typedef struct mp_rlock mp_rlock;

/* Options of mp_rlock_new. */
typedef struct mp_rlock_options {
    /* sizeof(mp_rlock_options). */
    size_t size;
    /* mp_rlock_acquire answers MP_OWNER_DIED, instead of MP_OK, where the last holder died. */
    bool report_owner_death;
    /*
     * The name by which other processes, relatives or not, open the same object: see
     * mp_name_unlink. NULL for none: the object goes with its last handle.
     */
    const char *name;
    /* Where there is a name: whether to create the object or to open it, an mp_open. */
    int open;
    /*
     * Where an object with a name is created: who may open it, as for chmod. 0600, and what is
     * given here besides; 0 for this user alone.
     */
    unsigned int mode;
} mp_rlock_options;

/* The defaults: mp_rlock_options o = MP_RLOCK_OPTIONS; */
#define MP_RLOCK_OPTIONS { sizeof(mp_rlock_options), false, NULL, 0, 0 }

/*
 * MP_RLOCK_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_rlock_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_rlock_options_init(mp_rlock_options *options, size_t size);

/*
 * Makes an RLock, not held. It costs 64 bytes of shared memory and no descriptor.
 *
 * rlock: where the handle goes. options: NULL for the defaults.
 *
 * MP_ERR_NO_MEMORY: the shared segment is full.
 * MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
 *     MP_ERR_OS: only with a name, see mp_name_unlink.
 *
 * Fork: a child, also one that libmp did not make, uses the same RLock through the same handle.
 * What the parent's thread holds the child does not.
 */
mp_status mp_rlock_new(mp_rlock **rlock, const mp_rlock_options *options);

/*
 * Acquires the RLock, waiting for it for up to timeout. The thread that holds it gets it once
 * more at once.
 *
 * timeout: nanoseconds.
 *
 * MP_OK: you hold it.
 * MP_OWNER_DIED: you hold it, and its last holder died holding it, so that what it guards may
 *     be half done. Only from an RLock made with report_owner_death; for others see
 *     mp_rlock_recovered.
 * MP_ERR_TIMEOUT: somebody else held it all the time.
 * MP_ERR_INVALID: this thread has it UINT32_MAX times already.
 *
 * A killed holder: the RLock is taken from it. One that is stopped, or whose descriptors were
 * all closed, still lives; one that is a zombie, or has run exec, does not. A thread that ends
 * while its process goes on keeps it for ever: release it first.
 * Threads: two threads of one process exclude each other. Order among waiters is not promised.
 */
mp_status mp_rlock_acquire(mp_rlock *rlock, mp_timeout timeout);

/*
 * Releases the RLock once. With the last release somebody who waits gets it.
 *
 * MP_ERR_NOT_OWNER: the calling thread does not hold it.
 */
mp_status mp_rlock_release(mp_rlock *rlock);

/*
 * Whether anybody holds the RLock, at some moment during the call. A dead holder still counts.
 *
 * locked: where the answer goes.
 */
mp_status mp_rlock_locked(const mp_rlock *rlock, bool *locked);

/*
 * Whether this thread holds the RLock and got it from a holder that died; true until its last
 * release.
 *
 * recovered: where the answer goes.
 */
mp_status mp_rlock_recovered(const mp_rlock *rlock, bool *recovered);

/*
 * Writes a text about the RLock: "<RLock(None, 0)>"; where the thread that asks holds it the
 * name of its process and how often it does, as in "<RLock(MainProcess, 2)>"; else
 * SomeOtherThread, of the process that asks, or SomeOtherProcess, and nonzero.
 *
 * text: where it goes, with a zero at its end. size: bytes of that.
 * needed: how many bytes it takes, with the zero, goes here; may be NULL.
 *
 * MP_ERR_TOO_SMALL: it takes more than size. Only needed is written.
 * MP_ERR_INVALID: text is NULL, and size is not 0.
 *
 * A killed holder: described as a holder until somebody acquires the RLock.
 */
mp_status mp_rlock_describe(const mp_rlock *rlock, char *text, size_t size, size_t *needed);

#ifdef MP_SCOPE_
#define MP_WITH_RLOCK(rlock) MP_SCOPE_(mp_rlock, rlock)
#endif

/*
 * The begin of MP_WITH_RLOCK: acquires without limit. Answers the handle, or NULL with
 * mp_last_error() where it could not.
 */
mp_rlock *mp_rlock_enter(mp_rlock *rlock);

/*
 * The end of MP_WITH_RLOCK: gives the RLock back, and sets the pointer to NULL.
 *
 * rlock: points to the handle; nothing happens where either is NULL.
 */
void mp_rlock_leave(mp_rlock **rlock);

/*
 * Frees this handle. NULL is fine. The RLock goes with the last handle to it in any process; it
 * is not released by this.
 */
mp_status mp_rlock_free(mp_rlock *rlock);

/* ---- semaphore ----------------------------------------------------------------------------------
 *
 * Semaphores between processes: a number of slots, of which each acquire takes one and any
 * process may give some back. For signalling, too: a release that nobody waits for is kept.
 */

/* A semaphore. */
typedef struct mp_semaphore mp_semaphore;

/* Options of mp_semaphore_new. */
typedef struct mp_semaphore_options {
    /* sizeof(mp_semaphore_options). */
    size_t size;
    /* Never more slots than it begins with: a release that makes more is MP_ERR_OVER_RELEASE. */
    bool bounded;
    /*
     * What a process has when it dies is given back, within 100 ms. Then who takes slots gives
     * them back itself, and never more than it has. At most 2046 processes have some at a time.
     */
    bool give_back;
    /*
     * The name by which other processes, relatives or not, open the same object: see
     * mp_name_unlink. NULL for none: the object goes with its last handle.
     */
    const char *name;
    /* Where there is a name: whether to create the object or to open it, an mp_open. */
    int open;
    /*
     * Where an object with a name is created: who may open it, as for chmod. 0600, and what is
     * given here besides; 0 for this user alone.
     */
    unsigned int mode;
} mp_semaphore_options;

/* The defaults: mp_semaphore_options o = MP_SEMAPHORE_OPTIONS; */
#define MP_SEMAPHORE_OPTIONS { sizeof(mp_semaphore_options), false, false, NULL, 0, 0 }

/*
 * MP_SEMAPHORE_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_semaphore_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_semaphore_options_init(mp_semaphore_options *options, size_t size);

/*
 * Makes a semaphore. It costs 64 bytes of shared memory and no descriptor; with give_back 8
 * bytes more for each slot, at most 16 KiB.
 *
 * semaphore: where the handle goes.
 * value: how many slots are free, 0 to 2147483647.
 * options: NULL for the defaults.
 *
 * MP_ERR_INVALID: value is no such number.
 * MP_ERR_NO_MEMORY: the shared segment is full.
 * MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
 *     MP_ERR_OS: only with a name, see mp_name_unlink.
 *
 * Fork: a child, also one that libmp did not make, uses the same semaphore through the same
 * handle. What its parent has it does not have.
 */
mp_status mp_semaphore_new(mp_semaphore **semaphore,
                           int64_t value,
                           const mp_semaphore_options *options);

/*
 * Takes a slot, waiting for one for up to timeout.
 *
 * timeout: nanoseconds. With give_back it takes up to 20 ms more where another process was
 *     stopped just as it took or gave back a slot.
 *
 * MP_ERR_TIMEOUT: no slot was free all the time, or such a process was not done.
 * MP_ERR_NO_MEMORY: of a semaphore with give_back 2046 other processes have slots.
 * MP_ERR_STATE: the block of a semaphore with give_back was overwritten by a stray pointer.
 *
 * Threads: any; the slots of a process are its threads' together. Who of several waiters gets
 * a slot is not promised.
 * Kill: a process killed in here has taken a slot or has not. The slots that it had stay
 * taken, unless the semaphore was made with give_back; no sleeper is forgotten.
 */
mp_status mp_semaphore_acquire(mp_semaphore *semaphore, mp_timeout timeout);

/*
 * Gives slots back, all in one step; as many as wait, up to that number, get them.
 *
 * count: how many, at least 1.
 *
 * MP_ERR_INVALID: count is 0.
 * MP_ERR_OVER_RELEASE: there would be more than 2147483647, or of a bounded semaphore more than
 *     it began with. Nothing changes.
 * MP_ERR_NOT_OWNER: the semaphore was made with give_back, and this process has not so many.
 *     Nothing changes.
 * MP_ERR_STATE: the block of a semaphore with give_back was overwritten by a stray pointer.
 *
 * Kill: one who is killed in here has given all of them back or none; where it has, those who
 * wait get them, if up to 75 ms later, and up to 750 ms where they have waited for ten seconds.
 */
mp_status mp_semaphore_release(mp_semaphore *semaphore, size_t count);

/*
 * How many slots are free, at some moment during the call. What a dead process has still
 * counts as taken.
 *
 * value: where the number goes.
 *
 * MP_ERR_STATE: the block of a semaphore with give_back was overwritten by a stray pointer.
 */
mp_status mp_semaphore_value(const mp_semaphore *semaphore, size_t *value);

/*
 * Whether no slot is free, as mp_semaphore_value.
 *
 * locked: where the answer goes.
 *
 * MP_ERR_STATE: the block of a semaphore with give_back was overwritten by a stray pointer.
 */
mp_status mp_semaphore_locked(const mp_semaphore *semaphore, bool *locked);

/*
 * Writes a text about the semaphore: "<Semaphore(value=3)>", or
 * "<BoundedSemaphore(value=3, maxvalue=5)>".
 *
 * text: where it goes, with a zero at its end. size: bytes of that.
 * needed: how many bytes it takes, with the zero, goes here; may be NULL.
 *
 * MP_ERR_TOO_SMALL: it takes more than size. Only needed is written.
 * MP_ERR_INVALID: text is NULL, and size is not 0.
 * MP_ERR_STATE: the block of a semaphore with give_back was overwritten by a stray pointer.
 */
mp_status mp_semaphore_describe(const mp_semaphore *semaphore,
                                char *text,
                                size_t size,
                                size_t *needed);

#ifdef MP_SCOPE_
#define MP_WITH_SEMAPHORE(semaphore) MP_SCOPE_(mp_semaphore, semaphore)
#endif

/*
 * The begin of MP_WITH_SEMAPHORE: acquires without limit. Answers the handle, or NULL with
 * mp_last_error() where it could not.
 */
mp_semaphore *mp_semaphore_enter(mp_semaphore *semaphore);

/*
 * The end of MP_WITH_SEMAPHORE: gives the slot back, and sets the pointer to NULL.
 *
 * semaphore: points to the handle; nothing happens where either is NULL.
 */
void mp_semaphore_leave(mp_semaphore **semaphore);

/*
 * Frees this handle. NULL is fine. The semaphore goes with the last handle to it in any
 * process; no slot is given back by this.
 */
mp_status mp_semaphore_free(mp_semaphore *semaphore);

/* ---- condition ----------------------------------------------------------------------------------
 *
 * Conditions between processes: who holds the condition's lock gives it up and waits, until
 * another holder notifies. A wait is a call by any thread of any process, and two threads of one
 * process are two who wait. Nobody is woken by accident, and no notification goes astray: not by
 * a time that ran out, and not by a kill.
 */

/* A condition, and its lock. */
typedef struct mp_condition mp_condition;

/*
 * Whether what a caller waits for is there. Asked while the lock is held. An exception must not
 * leave it.
 */
typedef bool (*mp_condition_fn)(mp_condition *condition, void *user);

/* Options of mp_condition_new. */
typedef struct mp_condition_options {
    /* sizeof(mp_condition_options). */
    size_t size;
    /*
     * The condition's lock shall be this one; NULL for another one. The condition keeps the
     * lock: its handle may be freed.
     */
    mp_lock *lock;
    /* The same for an RLock. Where both are NULL, the condition has an RLock of its own. */
    mp_rlock *rlock;
    /*
     * Of the condition's own RLock: acquire and wait answer MP_OWNER_DIED, instead of MP_OK,
     * where the last holder died. A given lock does as it was told when it was made.
     */
    bool report_owner_death;
    /*
     * The name by which other processes, relatives or not, open the same object: see
     * mp_name_unlink. NULL for none: the object goes with its last handle.
     */
    const char *name;
    /* Where there is a name: whether to create the object or to open it, an mp_open. */
    int open;
    /*
     * Where an object with a name is created: who may open it, as for chmod. 0600, and what is
     * given here besides; 0 for this user alone.
     */
    unsigned int mode;
} mp_condition_options;

/* The defaults: mp_condition_options o = MP_CONDITION_OPTIONS; */
#define MP_CONDITION_OPTIONS { sizeof(mp_condition_options), NULL, NULL, false, NULL, 0, 0 }

/*
 * MP_CONDITION_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_condition_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_condition_options_init(mp_condition_options *options, size_t size);

/*
 * Makes a condition, its lock not held unless a given one is. It costs 256 bytes of shared
 * memory, 64 for a lock of its own, and no descriptor; more while more than 13 wait at a time.
 *
 * condition: where the handle goes. options: NULL for the defaults.
 *
 * MP_ERR_INVALID: both a lock and an RLock are given.
 * MP_ERR_UNSUPPORTED: the given one has a name, or the condition shall have one: then it has a
 *     lock of its own.
 * MP_ERR_NO_MEMORY: the shared segment is full.
 * MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
 *     MP_ERR_OS: only with a name, see mp_name_unlink.
 *
 * Fork: a child, also one that libmp did not make, uses the same condition through the same
 * handle.
 */
mp_status mp_condition_new(mp_condition **condition, const mp_condition_options *options);

/*
 * Acquires the condition's lock, as mp_rlock_acquire does, or mp_lock_acquire where the
 * condition was made with a lock.
 *
 * timeout: nanoseconds.
 *
 * MP_OK: you hold it.
 * MP_OWNER_DIED: you hold it, and its last holder died holding it. Only from a lock that reports
 *     it; for others see mp_condition_recovered.
 * MP_ERR_TIMEOUT: somebody else held it all the time.
 */
mp_status mp_condition_acquire(mp_condition *condition, mp_timeout timeout);

/*
 * Releases the condition's lock, as mp_rlock_release does, or mp_lock_release where the
 * condition was made with a lock.
 *
 * MP_ERR_NOT_OWNER: an RLock, and the calling thread does not hold it.
 * MP_ERR_OVER_RELEASE: a lock, and nobody held it.
 */
mp_status mp_condition_release(mp_condition *condition);

/*
 * Whether anybody holds the condition's lock, at some moment during the call. A dead holder
 * still counts.
 *
 * locked: where the answer goes.
 */
mp_status mp_condition_locked(const mp_condition *condition, bool *locked);

/*
 * Whether the caller holds the condition's lock and got it from a holder that died; true until
 * it is released, and a wait releases it.
 *
 * recovered: where the answer goes.
 */
mp_status mp_condition_recovered(const mp_condition *condition, bool *recovered);

/*
 * Gives the condition's lock up, waits for up to timeout until notified, and takes the lock
 * again, without limit. An RLock is given up wholly, and then held as often as before.
 *
 * timeout: nanoseconds.
 *
 * MP_OK: it was notified, and you hold the lock.
 * MP_OWNER_DIED: the same, and the lock's last holder died holding it. Only from a lock that
 *     reports it; for others, and after a timeout, see mp_condition_recovered.
 * MP_ERR_TIMEOUT: it was not notified, and you hold the lock; no notification was for this call.
 * MP_ERR_NOT_OWNER: the caller does not hold the lock: this thread an RLock, this process a
 *     lock.
 * MP_ERR_NO_MEMORY: the shared segment has no room for one more who waits; you hold the lock.
 *
 * Threads: any number may wait, in any number of processes.
 * Kill: one who is killed before it was notified does not count. Where it was notified, and is
 * killed before it has the lock again, the notification goes to the next who waited then, within
 * 100 ms of the death. Should the process that passes it on be killed in that very moment, one
 * more may be released.
 */
mp_status mp_condition_wait(mp_condition *condition, mp_timeout timeout);

/*
 * Waits until a predicate holds: asks it at once, and then whenever notified.
 *
 * predicate: asked while the lock is held; it must leave it so.
 * user: handed to predicate.
 * timeout: nanoseconds, for all waits together.
 *
 * MP_OK: the predicate held, and you hold the lock.
 * MP_OWNER_DIED: the same, and meanwhile a holder of the lock died. Only from a lock that
 *     reports it.
 * MP_ERR_TIMEOUT: the predicate did not hold, not even when the time was over; you hold the lock.
 * MP_ERR_INVALID: predicate is NULL.
 * MP_ERR_NOT_OWNER: the caller does not hold the lock.
 * MP_ERR_NO_MEMORY: as mp_condition_wait.
 *
 * Kill: as mp_condition_wait.
 */
mp_status mp_condition_wait_for(mp_condition *condition,
                                mp_condition_fn predicate,
                                void *user,
                                mp_timeout timeout);

/*
 * Releases up to n of those who wait, those who have waited longest; exactly n where so many
 * live. Each goes on when it has the lock. Without anybody who waits nothing happens, and
 * nothing is remembered.
 *
 * n: how many.
 *
 * MP_ERR_NOT_OWNER: the caller does not hold the lock: this thread an RLock, this process a
 *     lock.
 *
 * Kill: whom a killed one has notified is notified.
 */
mp_status mp_condition_notify(mp_condition *condition, size_t n);

/*
 * Releases all who wait.
 *
 * MP_ERR_NOT_OWNER: the caller does not hold the lock: this thread an RLock, this process a
 *     lock.
 *
 * Kill: as mp_condition_notify.
 */
mp_status mp_condition_notify_all(mp_condition *condition);

/*
 * Tells about the condition as Python does, for people to read:
 * `<Condition(<RLock(MainProcess, 1)>, 0)>`: its lock, and how many wait.
 *
 * text: where the text goes, ended by a zero; may be NULL where size is 0. size: bytes there.
 * needed: the bytes that it takes, the zero counted, go here; may be NULL.
 *
 * MP_ERR_TOO_SMALL: it takes more than size; needed is written, and nothing else.
 */
mp_status mp_condition_describe(const mp_condition *condition,
                                char *text,
                                size_t size,
                                size_t *needed);

#ifdef MP_SCOPE_
/* Holds the condition's lock. */
#define MP_WITH_CONDITION(condition) MP_SCOPE_(mp_condition, condition)
#endif

/*
 * The begin of MP_WITH_CONDITION: acquires without limit. Answers the handle, or NULL with
 * mp_last_error() where it could not.
 */
mp_condition *mp_condition_enter(mp_condition *condition);

/*
 * The end of MP_WITH_CONDITION: gives the lock back, and sets the pointer to NULL.
 *
 * condition: points to the handle; nothing happens where either is NULL.
 */
void mp_condition_leave(mp_condition **condition);

/*
 * Frees this handle. NULL is fine. The condition goes with the last handle to it in any process;
 * its lock is not released by this.
 */
mp_status mp_condition_free(mp_condition *condition);

/* ---- event --------------------------------------------------------------------------------------
 *
 * Events between processes: a flag that any number of processes and threads wait for. Whoever is
 * killed, before, in or after any of these calls, no other misses a set by it.
 */

/* An event: a flag, set or not. */
typedef struct mp_event mp_event;

/* Options of mp_event_new. */
typedef struct mp_event_options {
    /* sizeof(mp_event_options). */
    size_t size;
    /*
     * The name by which other processes, relatives or not, open the same object: see
     * mp_name_unlink. NULL for none: the object goes with its last handle.
     */
    const char *name;
    /* Where there is a name: whether to create the object or to open it, an mp_open. */
    int open;
    /*
     * Where an object with a name is created: who may open it, as for chmod. 0600, and what is
     * given here besides; 0 for this user alone.
     */
    unsigned int mode;
} mp_event_options;

/* The defaults: mp_event_options o = MP_EVENT_OPTIONS; */
#define MP_EVENT_OPTIONS { sizeof(mp_event_options), NULL, 0, 0 }

/*
 * MP_EVENT_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_event_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_event_options_init(mp_event_options *options, size_t size);

/*
 * Makes an event, not set. It costs 64 bytes of shared memory and no descriptor.
 *
 * event: where the handle goes. options: NULL for the defaults.
 *
 * MP_ERR_NO_MEMORY: the shared segment is full.
 * MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
 *     MP_ERR_OS: only with a name, see mp_name_unlink.
 *
 * Fork: a child, also one that libmp did not make, uses the same event through the same handle.
 */
mp_status mp_event_new(mp_event **event, const mp_event_options *options);

/*
 * Sets the flag, and releases all who wait, also where it is cleared at once. Nothing changes
 * where it is set. What the caller stored before is there for whoever finds it set.
 *
 * Kill: one who is killed in this call has set the flag or not; where it has, all who wait are
 * released, if up to 75 ms later, and up to 750 ms where they have waited for ten seconds.
 */
mp_status mp_event_set(mp_event *event);

/* Clears the flag, whether it was set or not. */
mp_status mp_event_clear(mp_event *event);

/*
 * Whether the flag is set, at some moment during the call.
 *
 * set: where the answer goes.
 */
mp_status mp_event_is_set(const mp_event *event, bool *set);

/*
 * Waits for up to timeout until the flag is set; it stays set.
 *
 * timeout: nanoseconds.
 *
 * MP_OK: the flag is set, or was set during the call and cleared since.
 * MP_ERR_TIMEOUT: it was not set all the time.
 *
 * Threads: any number may wait, in any number of processes.
 */
mp_status mp_event_wait(mp_event *event, mp_timeout timeout);

/*
 * Tells about the event as Python does, for people to read: `<Event at 0x108e28 unset>`. The
 * number is the handle.
 *
 * text: where the text goes, ended by a zero; may be NULL where size is 0. size: bytes there.
 * needed: the bytes that it takes, the zero counted, go here; may be NULL.
 *
 * MP_ERR_TOO_SMALL: it takes more than size; needed is written, and nothing else.
 */
mp_status mp_event_describe(const mp_event *event, char *text, size_t size, size_t *needed);

/* Frees this handle. NULL is fine. The event goes with the last handle to it in any process. */
mp_status mp_event_free(mp_event *event);

/* ---- barrier ------------------------------------------------------------------------------------
 *
 * Barriers between processes: so many parties wait for each other, cycle after cycle. A party
 * is a call of mp_barrier_wait, by any thread of any process. A barrier breaks when one of its
 * parties is missing: the others are told, and do not wait for ever.
 */

/* A barrier. */
typedef struct mp_barrier mp_barrier;

/*
 * What the last party runs, before any of them goes on. Anything but 0 breaks the barrier. No
 * lock is held meanwhile. An exception must not leave it.
 */
typedef int (*mp_barrier_fn)(mp_barrier *barrier, void *user);

/* Options of mp_barrier_new. */
typedef struct mp_barrier_options {
    /* sizeof(mp_barrier_options). */
    size_t size;
    /*
     * Run by the party that comes last, once in each cycle; NULL for nothing. It is found in
     * other processes as the function of an mp_process is.
     */
    mp_barrier_fn action;
    /*
     * Handed to action as it is. As a pointer it means something only in the process that made
     * the barrier, and in forks of it.
     */
    void *user;
    /* The most that any wait takes, in nanoseconds, whatever it asks for. */
    mp_timeout timeout;
    /*
     * The name by which other processes, relatives or not, open the same object: see
     * mp_name_unlink. NULL for none: the object goes with its last handle.
     */
    const char *name;
    /* Where there is a name: whether to create the object or to open it, an mp_open. */
    int open;
    /*
     * Where an object with a name is created: who may open it, as for chmod. 0600, and what is
     * given here besides; 0 for this user alone.
     */
    unsigned int mode;
} mp_barrier_options;

/* The defaults: mp_barrier_options o = MP_BARRIER_OPTIONS; */
#define MP_BARRIER_OPTIONS { sizeof(mp_barrier_options), NULL, NULL, MP_FOREVER, NULL, 0, 0 }

/*
 * MP_BARRIER_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_barrier_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_barrier_options_init(mp_barrier_options *options, size_t size);

/*
 * Makes a barrier. It takes 128 bytes of shared memory, 16 more for each party, and no
 * descriptor.
 *
 * barrier: where the handle goes.
 * parties: how many wait for each other, 1 to 32767. options: NULL for the defaults.
 *
 * MP_ERR_INVALID: parties is something else.
 * MP_ERR_NO_MEMORY: the shared segment is full.
 * MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
 *     MP_ERR_OS: only with a name, see mp_name_unlink.
 * MP_ERR_UNKNOWN_TARGET: the action lies in no module, so that no other process could find it.
 *
 * Fork: a child, also one that libmp did not make, uses the same barrier through the same
 * handle.
 */
mp_status mp_barrier_new(mp_barrier **barrier, size_t parties, const mp_barrier_options *options);

/*
 * Waits until all parties have come; the last one runs the action first, if there is one. Then
 * the barrier is ready for the next cycle.
 *
 * timeout: nanoseconds. Who tries once breaks the barrier unless it comes last.
 * index: how many parties came before this one in its cycle, 0 to parties - 1, goes here; may
 *     be NULL.
 *
 * MP_OK: all have come, and the action is done. What each stored before, all can see.
 * MP_ERR_BROKEN_BARRIER: the barrier was broken, or broke meanwhile: by one whose time was
 *     over, this one included; by mp_barrier_abort or mp_barrier_reset; by an action that
 *     failed; by a death.
 * MP_ERR_TASK_FAILED: this call ran the action, which failed; the barrier is broken.
 * MP_ERR_UNKNOWN_TARGET: this call came last, and this process does not have the action; the
 *     barrier is broken.
 * MP_ERR_TIMEOUT: the parties were complete without this call, and their action ran all the
 *     time. The barrier is not broken.
 *
 * Kill: a process that dies while one of its threads waits, or runs the action, breaks the
 * barrier. So does one that took part in the last cycle and did not end by returning from its
 * function or by exit, while it held the barrier. Who has not come yet cannot be missed: use a
 * timeout.
 */
mp_status mp_barrier_wait(mp_barrier *barrier, mp_timeout timeout, size_t *index);

/*
 * Breaks the barrier, until mp_barrier_reset: all who wait are told, and all who come. Nothing
 * changes where it is broken. An action that runs goes on, and its cycle is broken.
 */
mp_status mp_barrier_abort(mp_barrier *barrier);

/* Begins anew: the barrier is empty and not broken. All who wait are told that it broke. */
mp_status mp_barrier_reset(mp_barrier *barrier);

/*
 * How many parties the barrier was made for.
 *
 * parties: where the number goes.
 */
mp_status mp_barrier_parties(const mp_barrier *barrier, size_t *parties);

/*
 * How many parties wait, at some moment during the call. While the action runs it is all.
 *
 * waiting: where the number goes.
 */
mp_status mp_barrier_waiting(const mp_barrier *barrier, size_t *waiting);

/*
 * Whether the barrier is broken.
 *
 * broken: where the answer goes.
 */
mp_status mp_barrier_broken(const mp_barrier *barrier, bool *broken);

/*
 * Tells about the barrier as Python does, for people to read:
 * `<Barrier at 0x108e28: waiters=0/5>`, or `<Barrier at 0x108e28: broken>`. The long number is
 * the handle.
 *
 * text: where the text goes, ended by a zero; may be NULL where size is 0. size: bytes there.
 * needed: the bytes that it takes, the zero counted, go here; may be NULL.
 *
 * MP_ERR_TOO_SMALL: it takes more than size; needed is written, and nothing else.
 */
mp_status mp_barrier_describe(const mp_barrier *barrier, char *text, size_t size, size_t *needed);

/*
 * Frees this handle. NULL is fine. The barrier goes with the last handle to it in any process.
 * Whoever has no handle left is not missed any more, however it ends.
 */
mp_status mp_barrier_free(mp_barrier *barrier);

/* ---- value --------------------------------------------------------------------------------------
 *
 * Shared values: one number, or one struct, that many processes read and change. Every
 * operation on a number is one atomic step, also against all the others; the value's lock does
 * not exclude them, so guard a number either by the lock, always, or by nothing. A struct is
 * copied whole with the lock held.
 */

/*
 * The types that values and the items of arrays can have. Wherever an mp_type is expected, a
 * character is fine as well, which names a type of C's: 'c' char, 'b' signed char, 'B' unsigned
 * char, 'u' wchar_t, 'h' short, 'H' unsigned short, 'i' int, 'I' unsigned int, 'l' long, 'L'
 * unsigned long, 'q' long long, 'Q' unsigned long long, 'f' float, 'd' double.
 */
typedef enum mp_type {
    /* int8_t */
    MP_INT8 = 1,
    /* uint8_t */
    MP_UINT8 = 2,
    /* int16_t */
    MP_INT16 = 3,
    /* uint16_t */
    MP_UINT16 = 4,
    /* int32_t */
    MP_INT32 = 5,
    /* uint32_t */
    MP_UINT32 = 6,
    /* int64_t */
    MP_INT64 = 7,
    /* uint64_t */
    MP_UINT64 = 8,
    /* double */
    MP_DOUBLE = 9,
    /* float */
    MP_FLOAT = 10,
} mp_type;

/* A shared value. */
typedef struct mp_value mp_value;

/*
 * Options of mp_value_new and its like: how the value is guarded. At most one of lock, rlock
 * and raw.
 */
typedef struct mp_value_options {
    /* sizeof(mp_value_options). */
    size_t size;
    /*
     * Guarded by this lock, which others may be guarded by, too; NULL for another choice. What has
     * a name has a lock of its own, or is raw. A lock is not recursive: who holds it and makes a
     * call that acquires it waits for itself.
     */
    mp_lock *lock;
    /* Guarded by this RLock; NULL for another choice. With neither it is an RLock of its own. */
    mp_rlock *rlock;
    /* Guarded by nothing. */
    bool raw;
    /*
     * Of its own RLock: whoever acquires it is told MP_OWNER_DIED, instead of MP_OK, where the last
     * holder died.
     */
    bool report_owner_death;
    /*
     * The name by which other processes, relatives or not, open the same object: see
     * mp_name_unlink. NULL for none: the object goes with its last handle.
     */
    const char *name;
    /* Where there is a name: whether to create the object or to open it, an mp_open. */
    int open;
    /*
     * Where an object with a name is created: who may open it, as for chmod. 0600, and what is
     * given here besides; 0 for this user alone.
     */
    unsigned int mode;
} mp_value_options;

/* The defaults: mp_value_options o = MP_VALUE_OPTIONS; */
#define MP_VALUE_OPTIONS { sizeof(mp_value_options), NULL, NULL, false, false, NULL, 0, 0 }

/*
 * MP_VALUE_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_value_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_value_options_init(mp_value_options *options, size_t size);

/*
 * Makes a value of a number type.
 *
 * value: where the handle goes.
 * type: an mp_type, or one of its characters.
 * initial: points to one item of that type; NULL for zero. One that has its name already stays
 *     as it is.
 * options: NULL for the defaults: an RLock of its own.
 *
 * MP_ERR_INVALID: type is none; or the options want more than one lock.
 * MP_ERR_BAD_HANDLE: the options' lock is none.
 * MP_ERR_UNSUPPORTED: the options give a lock, and that or what shall be made has a name.
 * MP_ERR_NO_MEMORY: the shared segment is full.
 * MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
 *     MP_ERR_OS: only with a name, see mp_name_unlink.
 *
 * Fork: a child uses the same value through the same handle.
 * Kill: a process that is killed in any call on a value leaves it as before the call or as
 * after it, except in mp_value_set of a struct without a lock.
 */
mp_status mp_value_new(mp_value **value,
                       int type,
                       const void *initial,
                       const mp_value_options *options);

/*
 * Makes a value of a struct's type, or any other of a known size.
 *
 * value: where the handle goes.
 * struct_size: sizeof the struct. Its alignment is at most 64.
 * initial: points to the struct to begin with; NULL for zeros. One that has its name already
 *     stays as it is.
 * options: NULL for the defaults: an RLock of its own.
 *
 * MP_ERR_INVALID: struct_size is 0 or more than can be; or the options want more than one lock.
 * MP_ERR_BAD_HANDLE: the options' lock is none.
 * MP_ERR_UNSUPPORTED: the options give a lock, and that or what shall be made has a name.
 * MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much: with a lock it
 *     takes twice its size.
 * MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
 *     MP_ERR_OS: only with a name, see mp_name_unlink.
 *
 * Pointers in the struct mean something only in the process that stored them.
 * Fork, Kill: as mp_value_new.
 */
mp_status mp_value_new_struct(mp_value **value,
                              size_t struct_size,
                              const void *initial,
                              const mp_value_options *options);

/*
 * Makes a value of the same type with the same contents.
 *
 * copy: where the handle goes.
 * source: the value to copy, with its lock held where it is a struct.
 * options: of the copy, which has no name; NULL for the defaults: an RLock of its own.
 *
 * MP_OWNER_DIED: the copy is made; the last holder of source's lock died, see mp_value_acquire.
 * MP_ERR_INVALID: the options want more than one lock.
 * MP_ERR_BAD_HANDLE: source or the options' lock is none.
 * MP_ERR_UNSUPPORTED: the options give a name, or a lock that has one.
 * MP_ERR_NO_MEMORY: the shared segment is full.
 * MP_ERR_STATE: source's block was overwritten by a stray pointer.
 */
mp_status mp_value_copy(mp_value **copy, const mp_value *source, const mp_value_options *options);

/*
 * How many bytes the value's type has.
 *
 * size: where the number goes.
 *
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_size(const mp_value *value, size_t *size);

/*
 * Copies the value out; a struct with the lock held, which is waited for without limit.
 *
 * out: where its bytes go. size: how many those are, which must be the type's size.
 *
 * MP_OWNER_DIED: the struct is copied; the lock's last holder died, see mp_value_acquire.
 * MP_ERR_INVALID: size is not the type's; or the thread holds the lock UINT32_MAX times.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_get(const mp_value *value, void *out, size_t size);

/*
 * Stores a value given by its bytes; a struct with the lock held, which is waited for without
 * limit.
 *
 * data: the bytes. size: how many those are, which must be the type's size.
 *
 * MP_OWNER_DIED: the struct is stored; the lock's last holder died, see mp_value_acquire.
 * MP_ERR_INVALID: size is not the type's; or the thread holds the lock UINT32_MAX times.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 *
 * Kill: a struct with a lock is stored or not, and so it is for whoever acquires the lock by a
 * call on the value.
 */
mp_status mp_value_set(mp_value *value, const void *data, size_t size);

/*
 * Where the value is, in this process, for C's own operators: members of a struct, atomics of a
 * number. Good for as long as the handle is not freed; another process has it at another address.
 * Nothing is acquired: that is the program's to do, by mp_value_acquire, and what a process
 * killed meanwhile has written through this stays as it is.
 *
 * data: the address goes here; it is aligned for the type, up to 64 bytes.
 * size: how many bytes the type has goes here; may be NULL.
 *
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_data(mp_value *value, void **data, size_t *size);

/*
 * Acquires the value's lock, waiting for it for up to timeout. Whoever holds an RLock may acquire
 * it again, and is not kept waiting by the calls that acquire it themselves.
 *
 * timeout: nanoseconds.
 *
 * MP_OK: you hold it.
 * MP_OWNER_DIED: you hold it, and its last holder died holding it. Only from a lock made with
 *     report_owner_death; for others see mp_value_recovered.
 * MP_ERR_TIMEOUT: somebody else held it all the time.
 * MP_ERR_STATE: the value has no lock; or its block was overwritten by a stray pointer.
 * MP_ERR_INVALID: the thread holds it UINT32_MAX times already.
 *
 * A killed holder: the lock is taken from it, as by mp_lock_acquire.
 * The mp_value_set of a struct that it was killed in is completed first.
 */
mp_status mp_value_acquire(mp_value *value, mp_timeout timeout);

/*
 * Releases the value's lock.
 *
 * MP_ERR_NOT_OWNER: it is an RLock, and this thread does not hold it.
 * MP_ERR_OVER_RELEASE: it is a lock, and nobody holds it.
 * MP_ERR_STATE: as mp_value_acquire.
 */
mp_status mp_value_release(mp_value *value);

/*
 * Whether anybody holds the value's lock, at some moment during the call. A dead holder still
 * counts.
 *
 * locked: where the answer goes.
 *
 * MP_ERR_STATE: as mp_value_acquire.
 */
mp_status mp_value_locked(const mp_value *value, bool *locked);

/*
 * Whether the caller holds the value's lock, this thread an RLock and this process a lock, and got
 * it from a holder that died; true until it is released. A call that acquires the lock itself, as
 * mp_value_get of a struct does, takes it over from the dead and gives it back, and the next
 * holder learns nothing of that: the struct is whole, but of whatever else the lock guards the
 * news would be lost. Where that matters, use report_owner_death, with which such a call answers
 * MP_OWNER_DIED, or make no such call without holding the lock.
 *
 * recovered: where the answer goes.
 *
 * MP_ERR_STATE: as mp_value_acquire.
 */
mp_status mp_value_recovered(const mp_value *value, bool *recovered);

/*
 * A handle to the value's lock, where that is an RLock, as one of its own is: to be freed by
 * mp_rlock_free. The RLock lives as long as the value or any handle to it.
 *
 * rlock: where the handle goes.
 *
 * MP_ERR_STATE: the value's lock is an mp_lock; or as mp_value_acquire.
 * MP_ERR_NO_MEMORY: there is no room for one more handle.
 */
mp_status mp_value_get_rlock(const mp_value *value, mp_rlock **rlock);

/*
 * The same where the lock is an mp_lock: to be freed by mp_lock_free.
 *
 * lock: where the handle goes.
 *
 * MP_ERR_STATE: the value's lock is an RLock; or as mp_value_acquire.
 * MP_ERR_NO_MEMORY: there is no room for one more handle.
 */
mp_status mp_value_get_lock(const mp_value *value, mp_lock **lock);

#ifdef MP_SCOPE_
#define MP_WITH_VALUE(value) MP_SCOPE_(mp_value, value)
#endif

/*
 * The begin of MP_WITH_VALUE: acquires without limit. Answers the handle, or NULL with
 * mp_last_error() where it could not.
 */
mp_value *mp_value_enter(mp_value *value);

/*
 * The end of MP_WITH_VALUE: releases the value's lock, and sets the pointer to NULL.
 *
 * value: points to the handle; nothing happens where either is NULL.
 */
void mp_value_leave(mp_value **value);

/*
 * Frees this handle, and what mp_value_data gave for it. NULL is fine. The value goes with the
 * last handle to it in any process.
 */
mp_status mp_value_free(mp_value *value);

/* ---- value_number -------------------------------------------------------------------------------
 *
 * Numbers in values: each operation is one atomic step, for every process.
 * What a process wrote before it changed a number is seen by whoever reads the change.
 */

/*
 * Reads an integer of any type. A uint64_t beyond INT64_MAX comes as the negative number with
 * the same bits.
 *
 * result: where it goes.
 *
 * MP_ERR_INVALID: the value is no integer.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_get_int(const mp_value *value, int64_t *result);

/*
 * Stores an integer, cut to the type's width as C does it.
 *
 * MP_ERR_INVALID: the value is no integer.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_set_int(mp_value *value, int64_t number);

/*
 * Adds to an integer, wrapping around at the type's width.
 *
 * by: what is added.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: the value is no integer.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_fetch_add(mp_value *value, int64_t by, int64_t *before);

/*
 * Subtracts from an integer, wrapping around at the type's width.
 *
 * by: what is subtracted.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: the value is no integer.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_fetch_sub(mp_value *value, int64_t by, int64_t *before);

/*
 * Keeps those bits of an integer that are in a mask.
 *
 * by: the mask, cut to the type's width.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: the value is no integer.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_fetch_and(mp_value *value, int64_t by, int64_t *before);

/*
 * Sets those bits of an integer that are in a mask.
 *
 * by: the mask, cut to the type's width.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: the value is no integer.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_fetch_or(mp_value *value, int64_t by, int64_t *before);

/*
 * Flips those bits of an integer that are in a mask.
 *
 * by: the mask, cut to the type's width.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: the value is no integer.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_fetch_xor(mp_value *value, int64_t by, int64_t *before);

/*
 * Stores an integer where it is less than what is there.
 *
 * by: the integer, cut to the type's width.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: the value is no integer.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_fetch_min(mp_value *value, int64_t by, int64_t *before);

/*
 * Stores an integer where it is more than what is there.
 *
 * by: the integer, cut to the type's width.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: the value is no integer.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_fetch_max(mp_value *value, int64_t by, int64_t *before);

/*
 * Stores an integer, cut to the type's width, and tells what was there.
 *
 * number: what is stored.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: the value is no integer.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_exchange(mp_value *value, int64_t number, int64_t *before);

/*
 * Stores an integer if the value is the expected one. MP_OK either way.
 *
 * expected: what the value should be; where it is not, what it is instead goes here.
 * desired: what is stored, cut to the type's width.
 * exchanged: whether it was stored; may be NULL.
 *
 * MP_ERR_INVALID: the value is no integer.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_compare_exchange(mp_value *value,
                                    int64_t *expected,
                                    int64_t desired,
                                    bool *exchanged);

/*
 * Reads a float or double.
 *
 * result: where it goes.
 *
 * MP_ERR_INVALID: the value is neither a float nor a double.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_get_double(const mp_value *value, double *result);

/*
 * Stores a double, rounded where the type is float.
 *
 * MP_ERR_INVALID: the value is neither a float nor a double.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_set_double(mp_value *value, double number);

/*
 * Adds to a float or double.
 *
 * by: what is added.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: the value is neither a float nor a double.
 * MP_ERR_STATE: the value's block was overwritten by a stray pointer.
 */
mp_status mp_value_fetch_add_double(mp_value *value, double by, double *before);

/* ---- array --------------------------------------------------------------------------------------
 *
 * Shared arrays: numbers or structs side by side in memory that many processes have. A single
 * number is read, written and changed in one atomic step, which the array's lock does not
 * exclude. Whatever is longer is copied with the lock held; what goes through mp_array_data is
 * the program's to guard.
 */

/* A shared array. */
typedef struct mp_array mp_array;

/*
 * Options of mp_array_new and its like: how the array is guarded. At most one of lock, rlock
 * and raw.
 */
typedef struct mp_array_options {
    /* sizeof(mp_array_options). */
    size_t size;
    /*
     * Guarded by this lock, which others may be guarded by, too; NULL for another choice. What has
     * a name has a lock of its own, or is raw. A lock is not recursive: who holds it and makes a
     * call that acquires it waits for itself.
     */
    mp_lock *lock;
    /* Guarded by this RLock; NULL for another choice. With neither it is an RLock of its own. */
    mp_rlock *rlock;
    /* Guarded by nothing. */
    bool raw;
    /*
     * Of its own RLock: whoever acquires it is told MP_OWNER_DIED, instead of MP_OK, where the last
     * holder died.
     */
    bool report_owner_death;
    /*
     * The name by which other processes, relatives or not, open the same object: see
     * mp_name_unlink. NULL for none: the object goes with its last handle.
     */
    const char *name;
    /* Where there is a name: whether to create the object or to open it, an mp_open. */
    int open;
    /*
     * Where an object with a name is created: who may open it, as for chmod. 0600, and what is
     * given here besides; 0 for this user alone.
     */
    unsigned int mode;
} mp_array_options;

/* The defaults: mp_array_options o = MP_ARRAY_OPTIONS; */
#define MP_ARRAY_OPTIONS { sizeof(mp_array_options), NULL, NULL, false, false, NULL, 0, 0 }

/*
 * MP_ARRAY_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_array_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_array_options_init(mp_array_options *options, size_t size);

/*
 * Makes an array of a number type.
 *
 * array: where the handle goes.
 * type: an mp_type, or one of its characters: the type of each item.
 * length: how many items; 0 is fine. With MP_OPEN_ATTACH 0 stands for as many as there are.
 * initial: points to length items; NULL for zeros. One that has its name already stays as it is.
 * options: NULL for the defaults: an RLock of its own.
 *
 * MP_ERR_INVALID: type is none; or the options want more than one lock.
 * MP_ERR_BAD_HANDLE: the options' lock is none.
 * MP_ERR_UNSUPPORTED: the options give a lock, and that or what shall be made has a name.
 * MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
 * MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
 *     MP_ERR_OS: only with a name, see mp_name_unlink.
 *
 * Fork: a child uses the same array through the same handle.
 * Kill: a process that is killed while it writes leaves single numbers whole, and longer
 * stretches half written; whoever acquires the lock next can know, see mp_array_recovered.
 */
mp_status mp_array_new(mp_array **array,
                       int type,
                       size_t length,
                       const void *initial,
                       const mp_array_options *options);

/*
 * Makes an array of structs, or of any other type of a known size.
 *
 * array: where the handle goes.
 * struct_size: sizeof the struct. Its alignment is at most 64.
 * length: how many structs; 0 is fine. With MP_OPEN_ATTACH 0 stands for as many as there are.
 * initial: points to length structs; NULL for zeros. One that has its name already stays as it
 *     is.
 * options: NULL for the defaults: an RLock of its own.
 *
 * MP_ERR_INVALID: struct_size is 0 or more than can be; or the options want more than one lock.
 * MP_ERR_BAD_HANDLE: the options' lock is none.
 * MP_ERR_UNSUPPORTED: the options give a lock, and that or what shall be made has a name.
 * MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
 * MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
 *     MP_ERR_OS: only with a name, see mp_name_unlink.
 *
 * Pointers in the structs mean something only in the process that stored them.
 * Fork, Kill: as mp_array_new.
 */
mp_status mp_array_new_struct(mp_array **array,
                              size_t struct_size,
                              size_t length,
                              const void *initial,
                              const mp_array_options *options);

/*
 * Makes an array of the same type and length with the same items.
 *
 * copy: where the handle goes.
 * source: the array to copy, with its lock held.
 * options: of the copy, which has no name; NULL for the defaults: an RLock of its own.
 *
 * MP_OWNER_DIED: the copy is made; the last holder of source's lock died, see mp_array_acquire.
 * MP_ERR_INVALID: the options want more than one lock.
 * MP_ERR_BAD_HANDLE: source or the options' lock is none.
 * MP_ERR_UNSUPPORTED: the options give a name, or a lock that has one.
 * MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
 * MP_ERR_STATE: source's block was overwritten by a stray pointer.
 */
mp_status mp_array_copy(mp_array **copy, const mp_array *source, const mp_array_options *options);

/*
 * How many items the array has.
 *
 * length: where the number goes.
 */
mp_status mp_array_length(const mp_array *array, size_t *length);

/*
 * How many bytes each item has.
 *
 * size: where the number goes.
 *
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_item_size(const mp_array *array, size_t *size);

/*
 * Where the items are, in this process. Good for as long as the handle is not freed; another
 * process has them at another address. Nothing is acquired: that is the program's to do, by
 * mp_array_acquire, where others may be at the items as well.
 *
 * data: the address goes here; it is aligned to 64 bytes.
 * bytes: how many bytes the items have goes here; may be NULL.
 *
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_data(mp_array *array, void **data, size_t *bytes);

/*
 * Copies items out, with the array's lock held, which is waited for without limit.
 *
 * first: index of the first. count: how many.
 * out: where they go. out_size: its bytes, which must be count items.
 *
 * MP_OWNER_DIED: they are copied; the lock's last holder died, see mp_array_acquire.
 * MP_ERR_INVALID: the array does not have these items, or out_size is not their size; or the
 *     thread holds the lock UINT32_MAX times.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_read(const mp_array *array,
                        size_t first,
                        size_t count,
                        void *out,
                        size_t out_size);

/*
 * Copies items in, with the array's lock held, which is waited for without limit.
 *
 * first: index of the first. count: how many.
 * data: the items. size: their bytes, which must be count items.
 *
 * MP_OWNER_DIED: they are stored; the lock's last holder died, see mp_array_acquire.
 * MP_ERR_INVALID: the array does not have these items, or size is not their size; or the
 *     thread holds the lock UINT32_MAX times.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_write(mp_array *array,
                         size_t first,
                         size_t count,
                         const void *data,
                         size_t size);

/*
 * Copies the string out that an array of char holds: what is before the first NUL, or all of it
 * where there is none. With the array's lock held, which is waited for without limit.
 *
 * text: where it goes, with a zero at its end. size: bytes of that.
 * needed: how many bytes it takes, with the zero, goes here; may be NULL.
 *
 * MP_OWNER_DIED: it is copied; the lock's last holder died, see mp_array_acquire.
 * MP_ERR_TOO_SMALL: it takes more than size. Only needed is written.
 * MP_ERR_INVALID: the items are not of one byte each; or text is NULL, and size is not 0.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_get_string(const mp_array *array, char *text, size_t size, size_t *needed);

/*
 * Stores a string in an array of char, with a zero behind it where there is room for one; what
 * follows stays as it is. With the array's lock held, which is waited for without limit.
 *
 * text: the string, with a zero at its end, which need not fit.
 *
 * MP_OWNER_DIED: it is stored; the lock's last holder died, see mp_array_acquire.
 * MP_ERR_INVALID: it is longer than the array, of which nothing is changed; or text is NULL; or
 *     the items are not of one byte each.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_set_string(mp_array *array, const char *text);

/*
 * Acquires the array's lock, waiting for it for up to timeout. Whoever holds an RLock may acquire
 * it again, and is not kept waiting by the calls that acquire it themselves.
 *
 * timeout: nanoseconds.
 *
 * MP_OK: you hold it.
 * MP_OWNER_DIED: you hold it, and its last holder died holding it. Only from a lock made with
 *     report_owner_death; for others see mp_array_recovered.
 * MP_ERR_TIMEOUT: somebody else held it all the time.
 * MP_ERR_STATE: the array has no lock; or its block was overwritten by a stray pointer.
 * MP_ERR_INVALID: the thread holds it UINT32_MAX times already.
 *
 * A killed holder: the lock is taken from it, as by mp_lock_acquire.
 */
mp_status mp_array_acquire(mp_array *array, mp_timeout timeout);

/*
 * Releases the array's lock.
 *
 * MP_ERR_NOT_OWNER: it is an RLock, and this thread does not hold it.
 * MP_ERR_OVER_RELEASE: it is a lock, and nobody holds it.
 * MP_ERR_STATE: as mp_array_acquire.
 */
mp_status mp_array_release(mp_array *array);

/*
 * Whether anybody holds the array's lock, at some moment during the call. A dead holder still
 * counts.
 *
 * locked: where the answer goes.
 *
 * MP_ERR_STATE: as mp_array_acquire.
 */
mp_status mp_array_locked(const mp_array *array, bool *locked);

/*
 * Whether the caller holds the array's lock, this thread an RLock and this process a lock, and got
 * it from a holder that died; true until it is released. A call that acquires the lock itself, as
 * mp_array_read does, takes it over from the dead and gives it back, and the next holder learns
 * nothing of that. Where a dead writer's half of a stretch matters, use report_owner_death, with
 * which such a call answers MP_OWNER_DIED, or make no such call without holding the lock.
 *
 * recovered: where the answer goes.
 *
 * MP_ERR_STATE: as mp_array_acquire.
 */
mp_status mp_array_recovered(const mp_array *array, bool *recovered);

/*
 * A handle to the array's lock, where that is an RLock, as one of its own is: to be freed by
 * mp_rlock_free. The RLock lives as long as the array or any handle to it.
 *
 * rlock: where the handle goes.
 *
 * MP_ERR_STATE: the array's lock is an mp_lock; or as mp_array_acquire.
 * MP_ERR_NO_MEMORY: there is no room for one more handle.
 */
mp_status mp_array_get_rlock(const mp_array *array, mp_rlock **rlock);

/*
 * The same where the lock is an mp_lock: to be freed by mp_lock_free.
 *
 * lock: where the handle goes.
 *
 * MP_ERR_STATE: the array's lock is an RLock; or as mp_array_acquire.
 * MP_ERR_NO_MEMORY: there is no room for one more handle.
 */
mp_status mp_array_get_lock(const mp_array *array, mp_lock **lock);

#ifdef MP_SCOPE_
#define MP_WITH_ARRAY(array) MP_SCOPE_(mp_array, array)
#endif

/*
 * The begin of MP_WITH_ARRAY: acquires without limit. Answers the handle, or NULL with
 * mp_last_error() where it could not.
 */
mp_array *mp_array_enter(mp_array *array);

/*
 * The end of MP_WITH_ARRAY: releases the array's lock, and sets the pointer to NULL.
 *
 * array: points to the handle; nothing happens where either is NULL.
 */
void mp_array_leave(mp_array **array);

/*
 * Frees this handle, and what mp_array_data gave for it. NULL is fine. The array goes with the
 * last handle to it in any process.
 */
mp_status mp_array_free(mp_array *array);

/* ---- array_number -------------------------------------------------------------------------------
 *
 * Numbers in arrays: each operation is one atomic step on one item, for every process.
 * What a process wrote before it changed a number is seen by whoever reads the change.
 */

/*
 * Reads an integer of any type. A uint64_t beyond INT64_MAX comes as the negative number with
 * the same bits.
 *
 * index: from 0.
 * result: where it goes.
 *
 * MP_ERR_INVALID: there is no such item; or it is no integer.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_get_int(const mp_array *array, size_t index, int64_t *result);

/*
 * Stores an integer, cut to the type's width as C does it.
 *
 * index: from 0.
 *
 * MP_ERR_INVALID: there is no such item; or it is no integer.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_set_int(mp_array *array, size_t index, int64_t number);

/*
 * Adds to an integer, wrapping around at the type's width.
 *
 * index: from 0.
 * by: what is added.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: there is no such item; or it is no integer.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_fetch_add(mp_array *array, size_t index, int64_t by, int64_t *before);

/*
 * Subtracts from an integer, wrapping around at the type's width.
 *
 * index: from 0.
 * by: what is subtracted.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: there is no such item; or it is no integer.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_fetch_sub(mp_array *array, size_t index, int64_t by, int64_t *before);

/*
 * Keeps those bits of an integer that are in a mask.
 *
 * index: from 0.
 * by: the mask, cut to the type's width.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: there is no such item; or it is no integer.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_fetch_and(mp_array *array, size_t index, int64_t by, int64_t *before);

/*
 * Sets those bits of an integer that are in a mask.
 *
 * index: from 0.
 * by: the mask, cut to the type's width.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: there is no such item; or it is no integer.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_fetch_or(mp_array *array, size_t index, int64_t by, int64_t *before);

/*
 * Flips those bits of an integer that are in a mask.
 *
 * index: from 0.
 * by: the mask, cut to the type's width.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: there is no such item; or it is no integer.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_fetch_xor(mp_array *array, size_t index, int64_t by, int64_t *before);

/*
 * Stores an integer where it is less than what is there.
 *
 * index: from 0.
 * by: the integer, cut to the type's width.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: there is no such item; or it is no integer.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_fetch_min(mp_array *array, size_t index, int64_t by, int64_t *before);

/*
 * Stores an integer where it is more than what is there.
 *
 * index: from 0.
 * by: the integer, cut to the type's width.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: there is no such item; or it is no integer.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_fetch_max(mp_array *array, size_t index, int64_t by, int64_t *before);

/*
 * Stores an integer, cut to the type's width, and tells what was there.
 *
 * index: from 0.
 * number: what is stored.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: there is no such item; or it is no integer.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_exchange(mp_array *array, size_t index, int64_t number, int64_t *before);

/*
 * Stores an integer if the item is the expected one. MP_OK either way.
 *
 * index: from 0.
 * expected: what the item should be; where it is not, what it is instead goes here.
 * desired: what is stored, cut to the type's width.
 * exchanged: whether it was stored; may be NULL.
 *
 * MP_ERR_INVALID: there is no such item; or it is no integer.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_compare_exchange(mp_array *array,
                                    size_t index,
                                    int64_t *expected,
                                    int64_t desired,
                                    bool *exchanged);

/*
 * Reads a float or double.
 *
 * index: from 0.
 * result: where it goes.
 *
 * MP_ERR_INVALID: there is no such item; or it is neither a float nor a double.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_get_double(const mp_array *array, size_t index, double *result);

/*
 * Stores a double, rounded where the type is float.
 *
 * index: from 0.
 *
 * MP_ERR_INVALID: there is no such item; or it is neither a float nor a double.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_set_double(mp_array *array, size_t index, double number);

/*
 * Adds to a float or double.
 *
 * index: from 0.
 * by: what is added.
 * before: the number from before goes here; may be NULL.
 *
 * MP_ERR_INVALID: there is no such item; or it is neither a float nor a double.
 * MP_ERR_STATE: the array's block was overwritten by a stray pointer.
 */
mp_status mp_array_fetch_add_double(mp_array *array, size_t index, double by, double *before);

/* ---- shared_memory ------------------------------------------------------------------------------
 *
 * Shared memory without a type: bytes that many processes have. What goes on in it is the
 * program's to guard. Its size stays as it was made: no call changes it. Where it has a name,
 * processes that are no relatives share it.
 */

/* Shared memory. */
typedef struct mp_shared_memory mp_shared_memory;

/* Options of mp_shared_memory_new. */
typedef struct mp_shared_memory_options {
    /* sizeof(mp_shared_memory_options). */
    size_t size;
    /*
     * The name by which other processes, relatives or not, open the same object: see
     * mp_name_unlink. NULL for none: the object goes with its last handle.
     */
    const char *name;
    /* Where there is a name: whether to create the object or to open it, an mp_open. */
    int open;
    /*
     * Where an object with a name is created: who may open it, as for chmod. 0600, and what is
     * given here besides; 0 for this user alone.
     */
    unsigned int mode;
} mp_shared_memory_options;

/* The defaults: mp_shared_memory_options o = MP_SHARED_MEMORY_OPTIONS; */
#define MP_SHARED_MEMORY_OPTIONS { sizeof(mp_shared_memory_options), NULL, 0, 0 }

/*
 * MP_SHARED_MEMORY_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_shared_memory_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_shared_memory_options_init(mp_shared_memory_options *options, size_t size);

/*
 * Makes shared memory, filled with zeros, or opens some that has a name. Without a name other
 * processes get it as an argument.
 *
 * memory: where the handle goes.
 * size: how many bytes, at least 1. With MP_OPEN_ATTACH 0 stands for as many as there are.
 * options: NULL for the defaults.
 *
 * MP_ERR_INVALID: size is 0, or not the size of what has the name, which stays as it is.
 * MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
 * MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
 *     MP_ERR_OS: only with a name, see mp_name_unlink.
 *
 * Fork: a child uses the same memory through the same handle.
 * Kill: what a killed process has written stays as it is.
 */
mp_status mp_shared_memory_new(mp_shared_memory **memory,
                               size_t size,
                               const mp_shared_memory_options *options);

/*
 * Where the memory is, in this process. Good for as long as the handle is not freed; another
 * process has it at another address.
 *
 * data: the address goes here; it is aligned to 64 bytes.
 * size: how many bytes there are goes here; may be NULL.
 *
 * MP_ERR_STATE: the memory's block was overwritten by a stray pointer.
 */
mp_status mp_shared_memory_data(mp_shared_memory *memory, void **data, size_t *size);

/*
 * How many bytes there are.
 *
 * size: where the number goes.
 *
 * MP_ERR_STATE: the memory's block was overwritten by a stray pointer.
 */
mp_status mp_shared_memory_size(const mp_shared_memory *memory, size_t *size);

/*
 * Frees this handle, and what mp_shared_memory_data gave for it. NULL is fine. The memory goes
 * with the last handle to it in any process.
 */
mp_status mp_shared_memory_free(mp_shared_memory *memory);

/* ---- shareable_list -----------------------------------------------------------------------------
 *
 * Shareable lists: a fixed number of items of mixed types in shared memory. No lock goes with
 * a list: who changes its text and bytes while others read them guards it with one.
 */

/* A shareable list. */
typedef struct mp_shareable_list mp_shareable_list;

/* What an item of a shareable list can be. */
typedef enum mp_item_type {
    /* Nothing. */
    MP_ITEM_NONE = 0,
    /* An integer of 64 bits. */
    MP_ITEM_INT = 1,
    /* A double. */
    MP_ITEM_DOUBLE = 2,
    /* True or false. */
    MP_ITEM_BOOL = 3,
    /* Text, with no zero in it; less than 10 MiB. */
    MP_ITEM_TEXT = 4,
    /* Bytes; less than 10 MiB. */
    MP_ITEM_BYTES = 5,
    /* A managed object: not in a shareable list. */
    MP_ITEM_PROXY = 6,
} mp_item_type;

/* An item of a shareable list. Members that its type has no use for may be anything. */
typedef struct mp_item {
    /* An mp_item_type. */
    int kind;
    /* Of MP_ITEM_BOOL. */
    bool boolean;
    /* Of MP_ITEM_INT. */
    int64_t integer;
    /* Of MP_ITEM_DOUBLE. */
    double number;
    /* Of MP_ITEM_TEXT and MP_ITEM_BYTES: where they are; of MP_ITEM_PROXY the mp_proxy. */
    const void *data;
    /* And how many bytes they have, the zero at a text's end not counted. */
    size_t data_size;
} mp_item;

/* Options of mp_shareable_list_new. */
typedef struct mp_shareable_list_options {
    /* sizeof(mp_shareable_list_options). */
    size_t size;
    /*
     * The name by which other processes, relatives or not, open the same object: see
     * mp_name_unlink. NULL for none: the object goes with its last handle.
     */
    const char *name;
    /* Where there is a name: whether to create the object or to open it, an mp_open. */
    int open;
    /*
     * Where an object with a name is created: who may open it, as for chmod. 0600, and what is
     * given here besides; 0 for this user alone.
     */
    unsigned int mode;
} mp_shareable_list_options;

/* The defaults: mp_shareable_list_options o = MP_SHAREABLE_LIST_OPTIONS; */
#define MP_SHAREABLE_LIST_OPTIONS { sizeof(mp_shareable_list_options), NULL, 0, 0 }

/*
 * MP_SHAREABLE_LIST_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_shareable_list_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_shareable_list_options_init(mp_shareable_list_options *options, size_t size);

/*
 * Makes a list of these items. Text and bytes get as much room as they need, rounded up to
 * the next multiple of 8 bytes beyond that; the others have 8 bytes.
 *
 * list: where the handle goes.
 * items: count items. count: how many; 0 is fine. A list that has its name already stays as it
 *     is, and must have as many with as much room; with MP_OPEN_ATTACH a count of 0 stands for
 *     any list.
 * options: NULL for the defaults.
 *
 * MP_ERR_INVALID: items is NULL and count is not 0; or an item's type is none, its text has a
 *     zero in it, or its text or bytes have 10 MiB or more.
 * MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
 * MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
 *     MP_ERR_OS: only with a name, see mp_name_unlink.
 *
 * Fork: a child uses the same list through the same handle.
 * Kill: a process that is killed while it stores text or bytes leaves the item half written.
 */
mp_status mp_shareable_list_new(mp_shareable_list **list,
                                const mp_item *items,
                                size_t count,
                                const mp_shareable_list_options *options);

/*
 * The list that is in shared memory: one that mp_shareable_list_new made there.
 *
 * list: where the handle goes.
 * memory: what mp_shareable_list_memory gave, in this process or another.
 *
 * MP_ERR_STATE: the memory holds no list, or a damaged one.
 * MP_ERR_NO_MEMORY: there is no room for one more handle.
 */
mp_status mp_shareable_list_open(mp_shareable_list **list, mp_shared_memory *memory);

/*
 * The memory that the list is in, as a handle of its own.
 *
 * memory: where the handle goes, to be freed by mp_shared_memory_free.
 *
 * MP_ERR_NO_MEMORY: there is no room for one more handle.
 */
mp_status mp_shareable_list_memory(const mp_shareable_list *list, mp_shared_memory **memory);

/*
 * How many items the list has.
 *
 * length: where the number goes.
 *
 * MP_ERR_STATE: the memory holds no list, or a damaged one.
 */
mp_status mp_shareable_list_length(const mp_shareable_list *list, size_t *length);

/*
 * Reads an item.
 *
 * index: from 0.
 * item: where it goes. Text and bytes go into the buffer, which its data then points to; the
 *     members that its type has no use for are zero.
 * buffer: room for text with a zero at its end, or for bytes; may be NULL where the item is
 *     neither. size: bytes of that.
 *
 * MP_ERR_INVALID: there is no such item; or item is NULL, or buffer is and size is not 0.
 * MP_ERR_TOO_SMALL: it takes more than size, a text with its zero. How much is in
 *     item->data_size, its type in item->kind, and nothing else is written.
 * MP_ERR_STATE: the memory holds no list, or a damaged one.
 */
mp_status mp_shareable_list_get(const mp_shareable_list *list,
                                size_t index,
                                mp_item *item,
                                void *buffer,
                                size_t size);

/*
 * Stores an item, of whatever type, in the room that the one at this index was made with.
 *
 * index: from 0.
 * item: what is stored.
 *
 * MP_ERR_INVALID: there is no such index; or item is NULL, has no item's type, or has more text
 *     or bytes than there is room for.
 * MP_ERR_STATE: the memory holds no list, or a damaged one.
 */
mp_status mp_shareable_list_set(mp_shareable_list *list, size_t index, const mp_item *item);

/*
 * Looks for an item of the same type and the same value.
 *
 * item: what to look for.
 * from: the first index that is looked at.
 * index: where the item is goes here.
 *
 * MP_ERR_INVALID: there is none; or item is NULL, or has no item's type.
 * MP_ERR_STATE: the memory holds no list, or a damaged one.
 */
mp_status mp_shareable_list_index(const mp_shareable_list *list,
                                  const mp_item *item,
                                  size_t from,
                                  size_t *index);

/*
 * Counts the items of the same type and the same value.
 *
 * item: what to look for.
 * count: how many there are goes here.
 *
 * MP_ERR_INVALID: item or count is NULL, or item has no item's type.
 * MP_ERR_STATE: the memory holds no list, or a damaged one.
 */
mp_status mp_shareable_list_count(const mp_shareable_list *list,
                                  const mp_item *item,
                                  size_t *count);

/*
 * Writes what an item is and has room for, as Python's struct module does: "q" an integer, "d" a
 * double, "xxxxxxx?" true or false, "xxxxxx?x" nothing, "24s" text or bytes with room for 24.
 *
 * index: from 0.
 * text: where it goes, with a zero at its end. size: bytes of that.
 * needed: how many bytes it takes, with the zero, goes here; may be NULL.
 *
 * MP_ERR_INVALID: there is no such item; or text is NULL, and size is not 0.
 * MP_ERR_TOO_SMALL: it takes more than size. Only needed is written.
 * MP_ERR_STATE: the memory holds no list, or a damaged one.
 */
mp_status mp_shareable_list_format(const mp_shareable_list *list,
                                   size_t index,
                                   char *text,
                                   size_t size,
                                   size_t *needed);

/*
 * Frees this handle. NULL is fine. The list goes with the last handle to it, or to its memory,
 * in any process.
 */
mp_status mp_shareable_list_free(mp_shareable_list *list);

/* ---- queue --------------------------------------------------------------------------------------
 *
 * Queues of messages between processes: first in, first out, for any number of producers and
 * consumers. A message is bytes, also none at all, or "none", a sentinel that is not the empty
 * message and tells consumers to stop, for example. What a put that returned has put is in the
 * queue, whatever becomes of who put it.
 */

/* A queue. */
typedef struct mp_queue mp_queue;

/* Options of mp_queue_new. */
typedef struct mp_queue_options {
    /* sizeof(mp_queue_options). */
    size_t size;
    /* The most messages at a time; 0: no limit, that is 268435455. */
    size_t maxsize;
    /* The most bytes of messages at a time, 0: no limit. */
    size_t maxbytes;
    /*
     * 0: its memory grows with what is in it, and goes back to the kernel when that was got, but
     * for 2 MiB. Otherwise the bytes of a ring of fixed size, which is a limit, too; rounded up
     * to a power of two, 256 at least and 1 GiB at most. A message takes its own length and 8
     * bytes there, in steps of 8. One of more than a quarter of the ring lies outside it; there
     * are at most 16 such at a time, of together at most a MiB or the ring's bytes, whichever
     * is more, and a longer one only by itself.
     */
    size_t ring;
    /*
     * The name by which other processes, relatives or not, open the same object: see
     * mp_name_unlink. NULL for none: the object goes with its last handle.
     */
    const char *name;
    /* Where there is a name: whether to create the object or to open it, an mp_open. */
    int open;
    /*
     * Where an object with a name is created: who may open it, as for chmod. 0600, and what is
     * given here besides; 0 for this user alone.
     */
    unsigned int mode;
    /*
     * Where an object with a name is created: the most bytes of memory that it may take, with
     * all that is in it, lent out, or kept to be used again; 0: 1 GiB, and twice its ring. These
     * are addresses in each process that opens it; memory is what its messages take.
     */
    size_t memory;
} mp_queue_options;

/* The defaults: mp_queue_options o = MP_QUEUE_OPTIONS; */
#define MP_QUEUE_OPTIONS { sizeof(mp_queue_options), 0, 0, 0, NULL, 0, 0, 0 }

/*
 * MP_QUEUE_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_queue_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_queue_options_init(mp_queue_options *options, size_t size);

/*
 * Makes an empty queue, by default one without limits: where CPython has Queue and SimpleQueue,
 * this is both. It costs 4.5 KiB of shared memory, or 1 KiB and its fixed ring, and no
 * descriptor.
 *
 * queue: where the handle goes. options: NULL for the defaults.
 *
 * MP_ERR_INVALID: ring is more than 1 GiB, or memory was given without a name.
 * MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
 * MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
 *     MP_ERR_OS: only with a name, see mp_name_unlink.
 *
 * Fork: a child, also one that libmp did not make, uses the same queue through the same
 * handle.
 * Kill: what is in a queue with a name stays there for as long as one process has it open, and
 * after that where all freed their handles. What a killed one had peeked is handed out again.
 */
mp_status mp_queue_new(mp_queue **queue, const mp_queue_options *options);

/*
 * Copies a message into the queue, waiting for room for up to timeout. When this returns MP_OK
 * the message is there for consumers, and the caller may exit at once.
 *
 * data: may be NULL where len is 0. len: bytes.
 * timeout: nanoseconds.
 *
 * MP_ERR_FULL: there was no room all the time.
 * MP_ERR_CLOSED: the queue was shut down, or this handle closed, before or meanwhile.
 * MP_ERR_INVALID: the message has more bytes than the queue's maxbytes.
 * MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for the message.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 *
 * Threads: the messages of one thread come out in the order in which it put them. A call that
 * meets another producer at work waits for it, 20 ms if the timeout is less.
 * Kill: a process killed in here has put the whole message or nothing; others that put
 * meanwhile go on within 100 ms.
 */
mp_status mp_queue_put(mp_queue *queue, const void *data, size_t len, mp_timeout timeout);

/*
 * Puts the message "none", as mp_queue_put does others. A consumer takes it as its sign to
 * stop; put as many as there are consumers.
 *
 * timeout: nanoseconds.
 *
 * MP_ERR_FULL, MP_ERR_CLOSED, MP_ERR_NO_MEMORY, MP_ERR_STATE: as mp_queue_put.
 */
mp_status mp_queue_put_none(mp_queue *queue, mp_timeout timeout);

/*
 * Takes the oldest message out of the queue, into the caller's buffer, waiting for one for up
 * to timeout.
 *
 * buffer: where its bytes go; may be NULL where size is 0. size: bytes of the buffer.
 * len: how many bytes the message has goes here; may be NULL.
 * none: whether it is "none", which has no bytes, goes here; may be NULL where none is put.
 * timeout: nanoseconds.
 *
 * MP_ERR_EMPTY: there was no message all the time.
 * MP_ERR_CLOSED: the queue was shut down and has no more messages, or this handle was closed,
 *     before or meanwhile.
 * MP_ERR_TOO_SMALL: the message does not fit into the buffer. It stays the oldest, and its
 *     length is in len.
 * MP_ERR_INVALID: the message is "none", and the pointer none is NULL. It stays the oldest.
 * MP_ERR_UNSUPPORTED: the message carries handles, and stays the oldest: mp_queue_get_buffer
 *     gets it.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 *
 * Threads: each message goes to one consumer. A call that meets another consumer at work waits
 * for it, 20 ms if the timeout is less.
 * Kill: a process killed in here leaves the message where it was for the next consumer, until
 * the moment that takes it out, which is the call's last step.
 */
mp_status mp_queue_get(mp_queue *queue,
                       void *buffer,
                       size_t size,
                       size_t *len,
                       bool *none,
                       mp_timeout timeout);

/*
 * Takes the oldest message out of the queue, as mp_queue_get does, into a new buffer, with the
 * handles that it carries: see mp_buffer_handle.
 *
 * buffer: where the buffer goes, which is the caller's to free; NULL goes there for the
 *     message "none".
 * timeout: nanoseconds.
 *
 * MP_ERR_EMPTY, MP_ERR_CLOSED: as mp_queue_get.
 * MP_ERR_NO_MEMORY: there is no memory for the buffer, or no room to write down that this process
 *     has its handles. The message stays the oldest.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 */
mp_status mp_queue_get_buffer(mp_queue *queue, mp_buffer **buffer, mp_timeout timeout);

/* ---- queue_handles ------------------------------------------------------------------------------
 *
 * Messages that carry handles: a request with the queue for its answer, work with the array that
 * it is about. Who gets the message has handles of its own to the same objects.
 */

/*
 * Puts a message as mp_queue_put does, which carries handles besides. The message holds what they
 * stand for until it was got or dropped; the caller may free its own at once. Only
 * mp_queue_get_buffer gets such a message.
 *
 * It lies outside the ring, as long ones do: in a queue with a ring of fixed size there are at
 * most 16 such at a time, and one without has another ring for each 16.
 *
 * data: may be NULL where len is 0. len: bytes.
 * handles: locks, rlocks, semaphores, events, barriers, conditions, values, arrays, shared
 *     memory, lists, queues and priority queues, of this tree of processes; may be NULL where
 *     count is 0. count: how many, at most 65,536.
 * timeout: nanoseconds.
 *
 * MP_ERR_UNSUPPORTED: a handle stands on a descriptor, as those of connections, listeners and
 *     objects with names do, or is for one process only; or the queue has a name. Through a pipe
 *     connections and listeners go: see mp_connection_send_handles.
 * MP_ERR_BAD_HANDLE: one of them is NULL, or was freed.
 * MP_ERR_CLOSED: one of them was closed; or as mp_queue_put.
 * MP_ERR_INVALID: a handle is of the queue itself, handles is NULL, or count is more than 65,536;
 *     or as mp_queue_put.
 * MP_ERR_FULL, MP_ERR_NO_MEMORY, MP_ERR_STATE: as mp_queue_put.
 *
 * Threads: as mp_queue_put.
 * Kill: of a process killed in here the message and its handles are in the queue, or nothing is.
 * What a message holds is freed once, whoever dies with it. Queues that are in messages of each
 * other stay for as long as the tree of processes.
 */
mp_status mp_queue_put_handles(mp_queue *queue,
                               const void *data,
                               size_t len,
                               const void *const *handles,
                               size_t count,
                               mp_timeout timeout);

/* How many handles came with a message; 0 with mp_last_error() for a bad handle. */
size_t mp_buffer_handles(const mp_buffer *buffer);

/*
 * A handle that came with a message: one of this process's own, another one at each call, for the
 * caller to free. It is of the noun that was put, which whoever uses it must know; NULL with
 * mp_last_error() where there is none, or no room for it. A buffer that is freed gives up what
 * nobody took out of it.
 *
 * index: from 0, in the order in which they were put.
 *
 * Threads: any number at a time, but mp_buffer_free.
 * Kill: what a killed process had is given up.
 */
void *mp_buffer_handle(mp_buffer *buffer, size_t index);

/* ---- queue_lend ---------------------------------------------------------------------------------
 *
 * Messages without a copy: written where they will lie, and read where they are. Others put and
 * get meanwhile. For messages of some KiB and more; smaller ones are faster copied.
 */

/*
 * Makes room for a message of at most len bytes, which the caller then writes there, and puts by
 * mp_queue_commit or gives up by mp_queue_cancel. It is in no order with others before the
 * commit.
 *
 * len: bytes. data: where the room's address goes, at a multiple of 64. The bytes are undefined.
 *
 * MP_ERR_INVALID: data is NULL, or len is more than the queue's maxbytes.
 * MP_ERR_CLOSED: the queue was shut down, or this handle closed.
 * MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
 *
 * Threads: any thread of this process may commit or cancel it, one of them.
 * Fork: a child has no part in what its parent reserved.
 * Kill: what a killed process had reserved is freed.
 */
mp_status mp_queue_reserve(mp_queue *queue, size_t len, void **data);

/*
 * Puts what was written to the room at data, waiting until the queue has place for it for up to
 * timeout. The room is the caller's no more; after a failure it still is.
 *
 * data: from mp_queue_reserve of the same queue. len: how many of its bytes are the message, at
 *     most as many as were reserved.
 * timeout: nanoseconds.
 *
 * MP_ERR_INVALID: nothing is reserved there, or less than len.
 * MP_ERR_FULL, MP_ERR_CLOSED, MP_ERR_NO_MEMORY, MP_ERR_STATE: as mp_queue_put.
 *
 * Kill: a process killed in here has put the whole message or nothing.
 */
mp_status mp_queue_commit(mp_queue *queue, void *data, size_t len, mp_timeout timeout);

/*
 * Gives up the room at data.
 *
 * data: from mp_queue_reserve of the same queue.
 *
 * MP_ERR_INVALID: nothing is reserved there.
 * MP_ERR_CLOSED: this handle was closed. The room goes with the process.
 */
mp_status mp_queue_cancel(mp_queue *queue, void *data);

/*
 * Takes the oldest message out of the queue to be read where it is, waiting for one for up to
 * timeout. It is not counted in the queue any more. At most 16 of a queue are peeked at a time.
 *
 * data: where the message's address goes: until mp_queue_release it stays there, and nobody
 *     writes to it. NULL for the message "none", which is not to be released.
 * len: how many bytes it has goes here.
 * none: whether it is "none" goes here; may be NULL where none is put.
 * timeout: nanoseconds.
 *
 * MP_ERR_INVALID: data or len is NULL.
 * MP_ERR_UNSUPPORTED, MP_ERR_EMPTY, MP_ERR_CLOSED, MP_ERR_STATE: as mp_queue_get.
 * MP_ERR_NO_MEMORY: 16 messages are peeked, or there is no memory for one to be moved out of
 *     the ring, as a small one is. It stays the oldest.
 *
 * Threads: any thread of this process may release it, one of them.
 * Fork: a child has no part in what its parent peeked.
 * Kill: what a process had peeked when it ended without release is handed out again, as soon as
 * anybody has found out: at the latest when a consumer finds the queue empty, or has waited for
 * 750 ms. It then comes before all that is in the queue. So a message is peeked at least once,
 * and, where nobody peeks, got exactly once.
 */
mp_status mp_queue_peek(mp_queue *queue,
                        const void **data,
                        size_t *len,
                        bool *none,
                        mp_timeout timeout);

/*
 * Ends the reading of a peeked message, which is then gone.
 *
 * data: from mp_queue_peek of the same queue.
 *
 * MP_ERR_INVALID: nothing was peeked there.
 * MP_ERR_CLOSED: this handle was closed. The message is handed out again when this process has
 *     ended.
 */
mp_status mp_queue_release(mp_queue *queue, const void *data);

/* ---- queue_many ---------------------------------------------------------------------------------
 *
 * Several messages at once, which is much faster than one after the other where they are small.
 */

/* A message for mp_queue_put_many. */
typedef struct mp_message {
    /* May be NULL where len is 0 or MP_NONE. */
    const void *data;
    /* Bytes, or MP_NONE for the message "none". */
    size_t len;
} mp_message;

/* In place of a length: the message is "none". */
#define MP_NONE SIZE_MAX

/* MP_NONE as a function. */
size_t mp_none(void);

/*
 * Puts messages as mp_queue_put does, in their order and as many at a time as there is room for:
 * these appear all at once.
 *
 * messages: may be NULL where count is 0. count: how many.
 * put: how many of them are in the queue, the first ones, goes here, also when this fails; may
 *     be NULL.
 * timeout: nanoseconds, for all of them together.
 *
 * MP_ERR_FULL: there was no room for the rest all the time.
 * MP_ERR_INVALID: the next one's data is NULL or longer than the queue's maxbytes.
 * MP_ERR_CLOSED, MP_ERR_NO_MEMORY, MP_ERR_STATE: as mp_queue_put, for the rest.
 *
 * Threads: others may put theirs in between where there was not room for all.
 * Kill: a process killed in here has put the first few, all or none of them.
 */
mp_status mp_queue_put_many(mp_queue *queue,
                            const mp_message *messages,
                            size_t count,
                            size_t *put,
                            mp_timeout timeout);

/*
 * Takes messages as mp_queue_get does: waits for the first, and takes along what else is there
 * already and fits, all in one step. The rest stays for the next call, which may be before count
 * or the buffer is used up.
 *
 * buffer: where their bytes go, one message behind the other; may be NULL where size is 0.
 * size: bytes of the buffer.
 * lens: the messages' lengths go here, MP_NONE for a "none". count: how many it has room for, at
 *     least 1.
 * got: how many messages there were goes here.
 * timeout: nanoseconds.
 *
 * MP_ERR_INVALID: a pointer is NULL, or count is 0.
 * MP_ERR_TOO_SMALL: the first message does not fit into the buffer. It stays the oldest, and its
 *     length is in lens.
 * MP_ERR_UNSUPPORTED, MP_ERR_EMPTY, MP_ERR_CLOSED, MP_ERR_STATE: as mp_queue_get. After any
 *     failure got is 0.
 *
 * Kill: a process killed in here has taken all of them or none.
 */
mp_status mp_queue_get_many(mp_queue *queue,
                            void *buffer,
                            size_t size,
                            size_t *lens,
                            size_t count,
                            size_t *got,
                            mp_timeout timeout);

/* ---- queue_state --------------------------------------------------------------------------------
 *
 * Queues as a whole: how much is in them, whether all is done, and how they end.
 */

/*
 * How many messages are in the queue, at some moment during the call: others may put and get
 * at any time.
 *
 * size: where the number goes.
 */
mp_status mp_queue_size(const mp_queue *queue, size_t *size);

/*
 * Whether the queue has no message, as mp_queue_size.
 *
 * empty: where the answer goes.
 */
mp_status mp_queue_empty(const mp_queue *queue, bool *empty);

/*
 * Whether the queue has no room even for an empty message, or as many bytes as its maxbytes; at
 * some moment, as mp_queue_size. Where it has, there may still be none for a longer one.
 *
 * full: where the answer goes.
 *
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 */
mp_status mp_queue_full(const mp_queue *queue, bool *full);

/* What can be known of a queue, at some moment during the call. */
typedef struct mp_queue_stats {
    /* sizeof(mp_queue_stats), set before the call. */
    size_t size;
    /* Messages in the queue. */
    uint64_t messages;
    /* Their bytes. */
    uint64_t bytes;
    /*
     * The most that consumers, whenever they looked for more, found in it; and not less than is
     * in it now.
     */
    uint64_t most_messages;
    /* The same of bytes. */
    uint64_t most_bytes;
    /* All that was ever put. */
    uint64_t put_messages;
    /* Their bytes. */
    uint64_t put_bytes;
    /* All that ever left it, dropped ones included. */
    uint64_t got_messages;
    /* Their bytes. */
    uint64_t got_bytes;
    /* How many of these were dropped by mp_queue_shutdown. */
    uint64_t dropped;
    /* See mp_queue_join. */
    uint64_t unfinished;
    /* How often a put had to sleep until there was room. */
    uint64_t put_waits;
    /* How often a get had to sleep until there was a message. */
    uint64_t get_waits;
    /* Bytes of shared memory that the queue takes. */
    uint64_t memory;
} mp_queue_stats;

/* mp_queue_stats s = MP_QUEUE_STATS; */
#define MP_QUEUE_STATS { sizeof(mp_queue_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/*
 * MP_QUEUE_STATS as a function.
 *
 * stats: where the defaults go; not NULL. size: sizeof(mp_queue_stats).
 *
 * MP_ERR_INVALID: stats is NULL, or size is that of no version of the struct.
 */
mp_status mp_queue_stats_init(mp_queue_stats *stats, size_t size);

/*
 * Tells what is to be known of a queue. The numbers of messages and bytes are exact, also where
 * processes were killed in the middle of a put or get.
 *
 * stats: where the numbers go, as far as its size says; begun with MP_QUEUE_STATS.
 *
 * MP_ERR_INVALID: stats is NULL, or its size is less than that of a size.
 * MP_ERR_CLOSED: this handle was closed.
 */
mp_status mp_queue_stats_get(const mp_queue *queue, mp_queue_stats *stats);

/*
 * Says that a message that was got is worked off: see mp_queue_join. Any queue is joinable in
 * CPython's sense; who never joins it need not call this.
 *
 * MP_ERR_OVER_RELEASE: all that was put is done already.
 * MP_ERR_CLOSED: this handle was closed.
 *
 * Threads: any thread of any process, for any message.
 * Kill: a process killed in here has said so or not. What it had got and not said to be done
 * stays unfinished.
 */
mp_status mp_queue_task_done(mp_queue *queue);

/*
 * Waits until as many messages are done (mp_queue_task_done) or dropped (mp_queue_shutdown) as
 * were put, "none" included; at once where there are none. CPython's join takes no timeout.
 *
 * timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: something was unfinished all the time.
 * MP_ERR_CLOSED: this handle was closed, before or meanwhile.
 *
 * Kill: what a killed process had got and not said to be done stays unfinished.
 */
mp_status mp_queue_join(mp_queue *queue, mp_timeout timeout);

/*
 * Ends the queue for all processes: nothing is put any more. What is in it can still be got;
 * then gets are MP_ERR_CLOSED. Who waits in a put, or in a get with nothing left, wakes up and
 * is told the same. There is no way back; once more does no harm.
 *
 * immediate: nor can what is in it be got: it is dropped, and counts as done for mp_queue_join.
 *
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 *
 * Threads: a put that has returned before is in the queue, one that begins after this has
 * returned is not.
 * Kill: a process killed in here has shut the queue down or not. If it had, whoever comes next
 * drops what is to be dropped, and who sleeps wakes up within 750 ms.
 */
mp_status mp_queue_shutdown(mp_queue *queue, bool immediate);

/*
 * Closes this handle: whatever is done with it from now on, other than freeing it, is
 * MP_ERR_CLOSED, and who waits by it in a put or get wakes up to that. Other handles to the
 * queue, also those of other processes, stay as they are. What was put by it is in the queue.
 * Once more does no harm.
 *
 * Fork: of a handle that its parent has closed a child has a closed one.
 */
mp_status mp_queue_close(mp_queue *queue);

/*
 * Frees this handle. NULL is fine. The queue, and what is in it, goes with the last handle to
 * it in any process. Whoever has got a message may free the queue through which it came: the
 * put of it may still be returning. Who waits by this handle in a put or get wakes up to
 * MP_ERR_BAD_HANDLE.
 */
mp_status mp_queue_free(mp_queue *queue);

/* ---- priority_queue -----------------------------------------------------------------------------
 *
 * Queues that hand out the message with the lowest priority first, and the oldest among those of
 * the same priority. A message is bytes, also none at all, or "none", as in other queues. What a
 * put that returned has put is in the queue, whatever becomes of who put it.
 *
 * A message is taken in one of two ways. mp_priority_queue_get takes it out: it is the caller's,
 * and gone with the caller. mp_priority_queue_lease, further down, hands it out until it is
 * acknowledged, and again if its taker dies before that. With the same priority for all this is
 * a plain queue that hands messages out at least once.
 */

/* A queue whose messages have priorities. */
typedef struct mp_priority_queue mp_priority_queue;

/* Options of mp_priority_queue_new. */
typedef struct mp_priority_queue_options {
    /* sizeof(mp_priority_queue_options). */
    size_t size;
    /*
     * The most messages that a put makes it; 0: no limit but memory's. Leased ones do not count,
     * and those that come back are let in whatever the limit is.
     */
    size_t maxsize;
} mp_priority_queue_options;

/* The defaults: mp_priority_queue_options o = MP_PRIORITY_QUEUE_OPTIONS; */
#define MP_PRIORITY_QUEUE_OPTIONS { sizeof(mp_priority_queue_options), 0 }

/*
 * MP_PRIORITY_QUEUE_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_priority_queue_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_priority_queue_options_init(mp_priority_queue_options *options, size_t size);

/*
 * Makes an empty queue. It costs 2 KiB of shared memory and no descriptor; a message costs 128
 * bytes, one of more than 88 bytes a block of its own besides. What messages took goes back as
 * they are taken.
 *
 * queue: where the handle goes. options: NULL for the defaults.
 *
 * MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for it.
 *
 * Fork: a child, also one that libmp did not make, uses the same queue through the same
 * handle.
 */
mp_status mp_priority_queue_new(mp_priority_queue **queue,
                                const mp_priority_queue_options *options);

/*
 * Copies a message into the queue, waiting for room for up to timeout. When this returns MP_OK
 * the message is there for consumers, and the caller may exit at once.
 *
 * data: may be NULL where len is 0. len: bytes.
 * priority: any number; the lowest is taken first.
 * timeout: nanoseconds. Only a queue with a maxsize is ever full.
 *
 * MP_ERR_FULL: there was no room all the time.
 * MP_ERR_CLOSED: the queue was shut down.
 * MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for it.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 *
 * Threads: messages of one thread with the same priority are taken in the order in which it put
 * them. A call that meets another one at work waits for it, 20 ms if the timeout is less.
 * Kill: a process killed in here has put the whole message or nothing; others go on within 100
 * ms.
 */
mp_status mp_priority_queue_put(mp_priority_queue *queue,
                                const void *data,
                                size_t len,
                                int64_t priority,
                                mp_timeout timeout);

/*
 * Puts the message "none", as mp_priority_queue_put does others. With a priority that is higher
 * than all others a consumer meets it when the queue has nothing else.
 *
 * priority: any number; the lowest is taken first.
 * timeout: nanoseconds.
 *
 * MP_ERR_FULL: there was no room all the time.
 * MP_ERR_CLOSED: the queue was shut down.
 * MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for it.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 */
mp_status mp_priority_queue_put_none(mp_priority_queue *queue,
                                     int64_t priority,
                                     mp_timeout timeout);

/*
 * Takes the first message out of the queue, into the caller's buffer, waiting for one for up to
 * timeout.
 *
 * buffer: where its bytes go; may be NULL where size is 0. size: bytes of the buffer.
 * len: how many bytes the message has goes here; may be NULL.
 * priority: its priority goes here; may be NULL.
 * none: whether it is "none", which has no bytes, goes here; may be NULL where none is put.
 * timeout: nanoseconds.
 *
 * MP_ERR_EMPTY: there was no message all the time.
 * MP_ERR_CLOSED: the queue was shut down, and there is no message, nor has any other process
 *     one that may come back.
 * MP_ERR_TOO_SMALL: the message does not fit into the buffer. It stays the first, and its
 *     length is in len.
 * MP_ERR_INVALID: the message is "none", and the pointer none is NULL. It stays the first.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 *
 * Threads: each message goes to one consumer. A call that meets another one at work waits for
 * it, 20 ms if the timeout is less.
 * Kill: a process killed in here leaves the message for the next consumer, until the moment
 * that takes it out; then it is gone with the process. Use mp_priority_queue_lease where that
 * must not be.
 */
mp_status mp_priority_queue_get(mp_priority_queue *queue,
                                void *buffer,
                                size_t size,
                                size_t *len,
                                int64_t *priority,
                                bool *none,
                                mp_timeout timeout);

/*
 * Takes the first message out of the queue, as mp_priority_queue_get does, into a new buffer.
 *
 * buffer: where the buffer goes, which is the caller's to free; NULL goes there for the
 *     message "none".
 * priority: its priority goes here; may be NULL.
 * timeout: nanoseconds.
 *
 * MP_ERR_EMPTY: there was no message all the time.
 * MP_ERR_CLOSED: as mp_priority_queue_get.
 * MP_ERR_NO_MEMORY: there is no memory for the buffer. The message stays the first.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 */
mp_status mp_priority_queue_get_buffer(mp_priority_queue *queue,
                                       mp_buffer **buffer,
                                       int64_t *priority,
                                       mp_timeout timeout);

/*
 * How many messages are in the queue, at some moment during the call: others may put and take
 * at any time. Leased ones are not among them.
 *
 * size: where the number goes.
 *
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 */
mp_status mp_priority_queue_size(const mp_priority_queue *queue, size_t *size);

/*
 * Whether the queue has no message, as mp_priority_queue_size.
 *
 * empty: where the answer goes.
 *
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 */
mp_status mp_priority_queue_empty(const mp_priority_queue *queue, bool *empty);

/*
 * Whether the queue has as many messages as its maxsize, as mp_priority_queue_size. Without one
 * it never is full.
 *
 * full: where the answer goes.
 *
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 */
mp_status mp_priority_queue_full(const mp_priority_queue *queue, bool *full);

/*
 * How many messages were put and are not done: neither acknowledged, nor told of by
 * mp_priority_queue_task_done.
 *
 * unfinished: where the number goes.
 *
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 */
mp_status mp_priority_queue_unfinished(const mp_priority_queue *queue, size_t *unfinished);

/*
 * Tells that a message that mp_priority_queue_get took is done. One that was leased is done when
 * it is acknowledged, without this.
 *
 * MP_ERR_OVER_RELEASE: all that was put is done already.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 */
mp_status mp_priority_queue_task_done(mp_priority_queue *queue);

/*
 * Waits for up to timeout until all that was put is done.
 *
 * timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: it was not all the time.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 *
 * Kill: what a killed process had leased comes back and is not done; what it had got, it is to
 * be told of by somebody else.
 */
mp_status mp_priority_queue_join(mp_priority_queue *queue, mp_timeout timeout);

/*
 * Ends the queue for those who put: they get MP_ERR_CLOSED from now on, also who waits for room.
 * Those who take get what there is, and then MP_ERR_CLOSED. It cannot be undone.
 *
 * immediate: what there is is dropped and counts as done; those who take get MP_ERR_CLOSED at
 *     once. What is leased may still be acknowledged.
 *
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 *
 * Kill: a process killed in here has shut the queue down or done nothing.
 */
mp_status mp_priority_queue_shutdown(mp_priority_queue *queue, bool immediate);

/*
 * Frees this handle. NULL is fine. The queue, and what is in it, goes with the last handle to
 * it in any process. Whoever has taken a message may free the queue through which it came: the
 * put of it may still be returning.
 */
mp_status mp_priority_queue_free(mp_priority_queue *queue);

/* ---- priority_lease -----------------------------------------------------------------------------
 *
 * Leases: messages that are handed out until they are acknowledged. If the process that has one
 * ends before that, however it does, the message is back in its old place and handed out again,
 * to whoever waits or asks within 100 ms. So each message is worked on at least once.
 *
 *     while (mp_priority_queue_lease(q, &job, sizeof job, NULL, NULL, NULL, &lease,
 *                                    MP_FOREVER) == MP_OK) {
 *         work_on(&job);
 *         mp_priority_queue_acknowledge(q, lease);
 *     }
 */

/*
 * Hands the first message out, into the caller's buffer, waiting for one for up to timeout. It
 * counts as out of the queue, and is the calling process's until the lease ends: by
 * mp_priority_queue_acknowledge, by mp_priority_queue_return, or with the process, however that
 * ends.
 *
 * buffer: where its bytes go; may be NULL where size is 0. size: bytes of the buffer.
 * len: how many bytes the message has goes here; may be NULL.
 * priority: its priority goes here; may be NULL.
 * none: whether it is "none", which has no bytes, goes here; may be NULL where none is put.
 * lease: the lease's number, which is not 0, goes here.
 * timeout: nanoseconds.
 *
 * MP_ERR_EMPTY: there was no message all the time.
 * MP_ERR_CLOSED: the queue was shut down, and there is no message, nor has any other process
 *     one that may come back.
 * MP_ERR_TOO_SMALL: the message does not fit into the buffer. It stays the first, and its
 *     length is in len.
 * MP_ERR_INVALID: lease is NULL, or the message is "none" and the pointer none is NULL. It
 *     stays the first.
 * MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for one more lease. The
 *     message stays the first.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 *
 * Threads: any thread of any process that has the queue may end the lease.
 * Kill: a message that a killed process has is handed out again, before others of its
 * priority.
 */
mp_status mp_priority_queue_lease(mp_priority_queue *queue,
                                  void *buffer,
                                  size_t size,
                                  size_t *len,
                                  int64_t *priority,
                                  bool *none,
                                  uint64_t *lease,
                                  mp_timeout timeout);

/*
 * Hands the first message out, as mp_priority_queue_lease does, in a new buffer.
 *
 * buffer: where the buffer goes, which is the caller's to free; NULL goes there for the
 *     message "none".
 * priority: its priority goes here; may be NULL.
 * lease: the lease's number, which is not 0, goes here.
 * timeout: nanoseconds.
 *
 * MP_ERR_EMPTY: there was no message all the time.
 * MP_ERR_CLOSED: as mp_priority_queue_lease.
 * MP_ERR_INVALID: lease is NULL.
 * MP_ERR_NO_MEMORY: there is no memory for the buffer, or for the lease. The message stays the
 *     first.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 */
mp_status mp_priority_queue_lease_buffer(mp_priority_queue *queue,
                                         mp_buffer **buffer,
                                         int64_t *priority,
                                         uint64_t *lease,
                                         mp_timeout timeout);

/*
 * Ends a lease: the message is done, and counts as such for mp_priority_queue_join.
 *
 * lease: what mp_priority_queue_lease gave; any process that has the queue may use it.
 *
 * MP_ERR_INVALID: there is no such lease, or it has ended.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 *
 * Kill: a process killed in here has ended the lease, or still has it, and then the message is
 * handed out again.
 */
mp_status mp_priority_queue_acknowledge(mp_priority_queue *queue, uint64_t lease);

/*
 * Ends a lease: the message is in the queue again, in its old place, which is before others of
 * its priority that were put later. In a queue that was shut down immediately it is dropped.
 *
 * lease: what mp_priority_queue_lease gave; any process that has the queue may use it.
 *
 * MP_ERR_INVALID: there is no such lease, or it has ended.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 *
 * Kill: a process killed in here has returned the message, or still has it, which comes to the
 * same.
 */
mp_status mp_priority_queue_return(mp_priority_queue *queue, uint64_t lease);

/*
 * How often the message of a lease was handed out, this time included: more than 1 says that
 * somebody returned it, or died over it.
 *
 * lease: what mp_priority_queue_lease gave.
 * deliveries: where the number goes; 4194303 is the most that is counted.
 *
 * MP_ERR_INVALID: deliveries is NULL, or there is no such lease, or it has ended.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 */
mp_status mp_priority_queue_deliveries(const mp_priority_queue *queue,
                                       uint64_t lease,
                                       uint64_t *deliveries);

/*
 * How many messages are leased, as mp_priority_queue_size.
 *
 * unacknowledged: where the number goes.
 *
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 */
mp_status mp_priority_queue_unacknowledged(const mp_priority_queue *queue, size_t *unacknowledged);

/* ---- wait ---------------------------------------------------------------------------------------
 *
 * Waiting for any of many things, in one call or in the host's own event loop.
 */

/*
 * One of the things that mp_wait waits for. What "ready" means:
 *
 * queue       a message could be got; of a priority queue also: leased; or it was shut down
 * event       it is set; for mp_wait also: it was set during the call and cleared since
 * semaphore   a slot is free
 * lock        nobody holds it, or who held it is dead
 * rlock       the same; for mp_wait also: the calling thread holds it
 * process     it has ended
 * connection  something came: a message or its beginning, a descriptor, or the end
 * listener    a client may be there: try mp_listener_accept
 * result      mp_result_get does not wait for it
 * descriptor  it can be read from without waiting, is at its end, or broken
 */
typedef struct mp_wait_item {
    /*
     * A queue, priority queue, event, semaphore, lock, rlock, process, connection, listener or
     * result; NULL: a descriptor is waited for.
     */
    const void *handle;
    /* Where handle is NULL: any descriptor of the caller's. */
    int descriptor;
    /* Written by mp_wait: whether it was ready. */
    bool ready;
} mp_wait_item;

/*
 * Waits until at least one of several things is ready, for up to timeout. Nothing is taken: what
 * was ready may be somebody else's a moment later, so take it with MP_NO_WAIT.
 *
 * items: what is waited for; ready is written in each of them when the call returns MP_OK or
 *     MP_ERR_TIMEOUT. count: how many, at least 1. The same thing may be there twice.
 * ready: how many are ready goes here; may be NULL.
 * timeout: nanoseconds.
 *
 * MP_OK: at least one is ready.
 * MP_ERR_TIMEOUT: none was ready all the time.
 * MP_ERR_INVALID: count is 0, items is NULL, or a descriptor is not open.
 * MP_ERR_BAD_HANDLE: an item's handle is none.
 * MP_ERR_UNSUPPORTED: a handle of such a type is nothing that can be waited for.
 * MP_ERR_STATE: a process was not started, or a handle is a parent's; and whatever
 *     mp_process_sentinel says.
 * MP_ERR_CLOSED: a connection or listener was closed.
 * MP_ERR_NO_MEMORY, MP_ERR_OS: there is no memory, descriptor or thread to be had for so many.
 *
 * Threads: any number may wait for the same things. One that frees a handle which another waits
 *     for does not end that wait. Where descriptors and things in shared memory are waited for
 *     together, a thread of libmp's helps while the call lasts: see mp_descriptor.
 * Kill: a process that is killed after it made something ready, and before it told so, delays
 *     the call by up to 75 ms, or up to 750 ms where it has waited for longer than a second. A
 *     holder's death is found within 75 ms.
 */
mp_status mp_wait(mp_wait_item *items, size_t count, size_t *ready, mp_timeout timeout);

/*
 * A descriptor for the caller's own event loop (poll, epoll, libuv, GLib): it is readable while
 * what the handle stands for is ready, as mp_wait_item says. Only poll it: do not read from it,
 * write to it or close it. It is the handle's, the same with each call, and is closed when the
 * handle is freed; of a process it is mp_process_sentinel's, of a connection
 * mp_connection_fileno's.
 *
 * Other processes may take what made it readable: so take it with MP_NO_WAIT. A call in this
 * process that takes, or finds that there is nothing to take, has the descriptor right before it
 * returns.
 *
 * Edge-triggered loops (EPOLLET) hear of changes alone. What comes while a call finds nothing
 * leaves the descriptor readable as it was: poll it once more after such a call.
 *
 * handle: a queue, priority queue, event, semaphore, lock, rlock, process, connection, listener
 *     or result.
 * descriptor: where it goes.
 *
 * MP_ERR_BAD_HANDLE: handle is none.
 * MP_ERR_UNSUPPORTED: a handle of such a type is nothing that can be waited for.
 * MP_ERR_STATE: see mp_process_sentinel.
 * MP_ERR_CLOSED: the connection or listener was closed.
 * MP_ERR_OS: no descriptor or thread is to be had.
 *
 * Threads: from the first such handle on, to a second after the last, one thread of libmp's
 *     sleeps in this process, with all signals blocked. Where none was asked for there is none,
 *     and nothing costs more.
 * Fork: a child asks anew; its parent's descriptor tells it nothing.
 * Kill: as mp_wait.
 */
mp_status mp_descriptor(const void *handle, int *descriptor);

/* ---- connection ---------------------------------------------------------------------------------
 *
 * Connections: messages between two ends, each a sequence of bytes, also none at all, received
 * whole and in the order in which they were sent. Over a socket goes what Python's
 * multiprocessing.connection sends by send_bytes, so that the other end may be a Python
 * program's. A pipe's messages go through shared memory.
 *
 * An end is closed for the other one when nobody has it any more. A child that libmp starts has
 * the ends that it was handed and no others. Any number of processes may have the same end of a
 * pipe: each message goes to one of them, whole, whoever else sends or is killed meanwhile. A
 * socket's end is one process's at a time: two that send through it mix their messages up.
 *
 * A child that the program forks itself has a copy of every end that is open, as of a descriptor,
 * under the same handle, and frees the copies that it has no use for, or execs. What its parent
 * was sending or receiving through a socket stays its parent's: that way says MP_ERR_STATE in the
 * child. So does a handle whose end was closed before the fork, or belongs to the parent of a
 * child that libmp started; and a pipe that all others had freed when the child first used it.
 */

/* One end of a connection. */
typedef struct mp_connection mp_connection;

/* Options of mp_connection_from_fd. */
typedef struct mp_connection_options {
    /* sizeof(mp_connection_options). */
    size_t size;
    /* It can receive. */
    bool readable;
    /* It can send. */
    bool writable;
    /*
     * The most bytes of a message, either way: what announces a longer one is not received, and
     * no memory is taken for it. 0 for any number.
     */
    size_t max_message;
} mp_connection_options;

/* The defaults: mp_connection_options o = MP_CONNECTION_OPTIONS; */
#define MP_CONNECTION_OPTIONS { sizeof(mp_connection_options), true, true, 0 }

/*
 * MP_CONNECTION_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_connection_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_connection_options_init(mp_connection_options *options, size_t size);

/*
 * Makes an end of a socket that the program has: a connected one that carries a stream. On
 * success the descriptor belongs to the connection, which makes it close-on-exec and closes it.
 *
 * connection: where the handle goes. fd: the descriptor. options: NULL for the defaults.
 *
 * MP_ERR_INVALID: fd is closed, or the end can neither receive nor send.
 * MP_ERR_UNSUPPORTED: fd is something else.
 */
mp_status mp_connection_from_fd(mp_connection **connection,
                                int fd,
                                const mp_connection_options *options);

/*
 * Sends a message.
 *
 * data: may be NULL where len is 0. len: bytes, of any number, or up to max_message of the
 *     options of what the connection is from: a listener, a client or a descriptor.
 * timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: the other end did not take it in time. Nothing of it was sent, or a part,
 *     which cannot be taken back: sending the same bytes again then goes on with it, and
 *     another message goes behind it.
 * MP_ERR_EOF: the other end is closed. No SIGPIPE is raised. Of a pipe whose other end was
 *     killed, and that nobody has joined yet, what still fits is sent to nobody.
 * MP_ERR_CLOSED: this end was closed.
 * MP_ERR_STATE: this end only receives, or belongs to another process.
 * MP_ERR_INVALID: the message is longer than max_message, and nothing was sent; or data is NULL,
 *     and len is not 0.
 * MP_ERR_NO_MEMORY: the time ran out in the middle, and there was no memory to keep the rest;
 *     nothing more can be sent.
 * MP_ERR_OS: the network failed; or the kernel had no memory to tell who polls a pipe, and it is
 *     as after MP_ERR_TIMEOUT.
 *
 * Threads: messages of several threads do not mix; each waits for its turn within its timeout.
 * Kill: of a process killed in here the other end receives the whole message, or what it had
 * sent before and then MP_ERR_EOF; where others have the same end of a pipe, what they send.
 */
mp_status mp_connection_send(mp_connection *connection,
                             const void *data,
                             size_t len,
                             mp_timeout timeout);

/*
 * Receives the next message into the caller's buffer.
 *
 * buffer: where its bytes go, and may be written to also on failure; may be NULL where size is
 *     0.
 * size: bytes of the buffer.
 * len: how many bytes the message has goes here; may be NULL.
 * timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: no whole message came. What has come of it is kept for the next call.
 * MP_ERR_TOO_SMALL: the message does not fit into the buffer. It stays the next one, and its
 *     length is in len.
 * MP_ERR_EOF: the other end is closed and all it sent was received; or it was closed, or killed,
 *     in the middle of a message, as the sentence then says.
 * MP_ERR_CLOSED: this end was closed.
 * MP_ERR_UNSUPPORTED: the message carries handles or descriptors, and stays the next one:
 *     mp_connection_recv_buffer receives it.
 * MP_ERR_STATE: this end only sends, or belongs to another process; or what comes next is a
 *     descriptor, which mp_connection_recv_fd receives.
 * MP_ERR_NO_MEMORY: the time ran out in the middle, and there was no memory to keep what had
 *     come; nothing more can be received. Or the kernel had none, and what has come is kept for
 *     the next call.
 * MP_ERR_OS: the network failed; or EBADMSG: what came is no message, or is longer than
 *     max_message, and nothing more can be received.
 *
 * Threads: each message goes to one thread.
 * Kill: a message that a killed process was receiving goes to another one that has the same end
 * of the pipe, unless it is a long one that had begun to come: that is lost. So is a long one
 * whose sender was killed in the middle: another's comes in its place. Of a killed sender the
 * end comes at once, or within 75 ms to who has waited for less than that.
 */
mp_status mp_connection_recv(mp_connection *connection,
                             void *buffer,
                             size_t size,
                             size_t *len,
                             mp_timeout timeout);

/*
 * Receives the next message into a new buffer, and with it its handles and descriptors, see
 * mp_buffer_handle and mp_buffer_fd. The buffer's memory grows with what comes: a length alone,
 * however large, takes none.
 *
 * buffer: where the buffer goes, which is the caller's to free.
 * most: the most bytes that the message may have; SIZE_MAX for any number.
 * len: how many bytes the message has goes here; may be NULL.
 * timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: no whole message came. What has come of it is kept for the next call.
 * MP_ERR_TOO_SMALL: the message has more bytes than most. It stays the next one, and its length
 *     is in len.
 * MP_ERR_NO_MEMORY: there is no memory for the message, no handle for the buffer, or no room to
 *     write down that this process has the message's handles. What has come of it is kept; one
 *     with handles stays the next one.
 * MP_ERR_EOF, MP_ERR_CLOSED, MP_ERR_STATE: as mp_connection_recv.
 * MP_ERR_OS: as mp_connection_recv; or connections, listeners or descriptors come with the
 *     message, and this process has no room for them: it stays the next one.
 */
mp_status mp_connection_recv_buffer(mp_connection *connection,
                                    mp_buffer **buffer,
                                    size_t most,
                                    size_t *len,
                                    mp_timeout timeout);

/*
 * Waits until there is something to receive: a message or its beginning, a descriptor, or the
 * end.
 *
 * timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: nothing came.
 * MP_ERR_CLOSED: this end was closed.
 * MP_ERR_STATE: this end only sends, or belongs to another process.
 */
mp_status mp_connection_poll(mp_connection *connection, mp_timeout timeout);

/*
 * Sends a descriptor, which the other process then has, too: of the same file, under a number of
 * its own. On the wire it is what Python's multiprocessing.reduction.send_handle sends. It goes
 * between two messages, and the other end has to expect it there.
 *
 * fd: stays the caller's.
 * timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: the other end did not take it in time. It was not sent.
 * MP_ERR_UNSUPPORTED: the connection does not stay on this machine.
 * MP_ERR_EOF: the other end is closed.
 * MP_ERR_CLOSED: this end was closed.
 * MP_ERR_STATE: this end only receives, or belongs to another process.
 * MP_ERR_OS: there is no such descriptor, or it cannot be sent.
 */
mp_status mp_connection_send_fd(mp_connection *connection, int fd, mp_timeout timeout);

/*
 * Receives a descriptor, which is the caller's to close. It is close-on-exec.
 *
 * fd: where its number goes.
 * timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: nothing came.
 * MP_ERR_UNSUPPORTED: the connection does not stay on this machine.
 * MP_ERR_STATE: what comes next is a message, which stays the next one; or this end only sends,
 *     or belongs to another process.
 * MP_ERR_EOF: the other end is closed.
 * MP_ERR_CLOSED: this end was closed.
 * MP_ERR_OS: this process has no room for one more: through a pipe the descriptor then stays what
 *     comes next, and over a socket it is lost; or as mp_connection_recv.
 */
mp_status mp_connection_recv_fd(mp_connection *connection, int *fd, mp_timeout timeout);

/*
 * A descriptor for poll and epoll: it is readable when there is something to receive. It stays
 * the connection's; do not read, write or close it. Where a call has given up in the middle of a
 * message, what has come of that is the library's already. A socket's is the socket. A pipe's is
 * for polling only, and whoever asks for it has each message cost some system calls more. Where
 * several processes poll the same end it is readable for all of them until one has received what
 * is there, and MP_NO_WAIT may find nothing.
 *
 * fd: where its number goes.
 *
 * MP_ERR_CLOSED: this end was closed.
 * MP_ERR_STATE: this end belongs to another process.
 * MP_ERR_OS: no descriptor is free.
 *
 * Kill: it is readable while there is something to receive, whoever was killed while it sent or
 * received. Only what was being sent when it was asked for the first time, by one that was killed
 * in there, may be noticed with the next message, or with the end.
 */
mp_status mp_connection_fileno(const mp_connection *connection, int *fd);

/*
 * Whether this end can receive, be it closed or not.
 *
 * readable: where the answer goes.
 *
 * MP_ERR_STATE: this end belongs to another process.
 */
mp_status mp_connection_readable(const mp_connection *connection, bool *readable);

/*
 * Whether this end can send, be it closed or not.
 *
 * writable: where the answer goes.
 *
 * MP_ERR_STATE: this end belongs to another process.
 */
mp_status mp_connection_writable(const mp_connection *connection, bool *writable);

/*
 * Whether this end was closed by mp_connection_close.
 *
 * closed: where the answer goes.
 *
 * MP_ERR_STATE: this end belongs to another process.
 */
mp_status mp_connection_closed(const mp_connection *connection, bool *closed);

/*
 * Closes this end. What it sent can still be received. Again is fine.
 *
 * MP_ERR_STATE: this end belongs to another process.
 *
 * Threads: one that waits in another call on it leaves that with MP_ERR_CLOSED, within half a
 * second; the other end learns of it after that.
 */
mp_status mp_connection_close(mp_connection *connection);

#ifdef MP_SCOPE_
/* MP_WITH_CONNECTION(connection) { ... } closes and frees the connection on every way out of the
 * braces, see MP_WITH_LOCK. One that was closed before is passed over, and is still there. */
#define MP_WITH_CONNECTION(connection) MP_SCOPE_(mp_connection, connection)
#endif

/*
 * The begin of MP_WITH_CONNECTION. Answers the handle, or NULL with mp_last_error() where the
 * connection was closed, or is another process's.
 */
mp_connection *mp_connection_enter(mp_connection *connection);

/*
 * The end of MP_WITH_CONNECTION: closes and frees it, and sets the pointer to NULL.
 *
 * connection: points to the handle; nothing happens where either is NULL.
 */
void mp_connection_leave(mp_connection **connection);

/*
 * Closes this end, and frees the handle. NULL is fine.
 *
 * MP_ERR_STATE: it belongs to another process.
 */
mp_status mp_connection_free(mp_connection *connection);

/* ---- connection_handles -------------------------------------------------------------------------
 *
 * Handles through a pipe: as in a queue's messages, who receives one has handles of its own to
 * the same objects; and connections and listeners besides, whose descriptors go along.
 */

/*
 * Sends a message through a pipe which carries handles besides. mp_connection_send_fds has it carry
 * descriptors of the program's, too. The pipe holds what they stand for until the message was
 * received, or nobody has either end any more; the caller may free its own at once. Only
 * mp_connection_recv_buffer receives such a message, and mp_buffer_handle takes the handles out.
 *
 * It lies outside the rings, whatever its length: it goes whole, or not at all. Each way of a pipe
 * has room for 16 messages that carry handles or were lent (mp_connection_commit), of together at
 * most a MiB; a longer one goes when there is no other.
 *
 * data: may be NULL where len is 0. len: bytes.
 * handles: as of mp_queue_put_handles, and connections and listeners, of which a copy goes, as
 *     into a child: the caller's own stay open until they are freed. May be NULL where count is
 *     0, and the message is then as mp_connection_send sends it.
 * count: how many, at most 65,536, of which at most 253 may be connections and listeners.
 * timeout: nanoseconds.
 *
 * MP_ERR_UNSUPPORTED: the connection is no pipe: over a socket, the other end may be another
 *     program's; or a handle is of an object with a name, or for one process only.
 * MP_ERR_BAD_HANDLE: one of them is NULL, or was freed.
 * MP_ERR_INVALID: handles is NULL, count is more than 65,536, or more than 253 of them are
 *     connections and listeners; or one is an end of the pipe itself.
 * MP_ERR_TIMEOUT: the other end did not take enough of what was sent before.
 * MP_ERR_EOF: as mp_connection_send.
 * MP_ERR_CLOSED: this end was closed, or one of the handles.
 * MP_ERR_STATE: this end only receives, or belongs to another process; or a connection among the
 *     handles is in the middle of a message.
 * MP_ERR_NO_MEMORY: the shared memory is used up.
 * MP_ERR_OS: no descriptor is free, or the kernel takes no more that are on their way.
 *
 * Threads: as mp_connection_send.
 * Kill: of a process killed in here the message and its handles are in the pipe, or nothing is.
 * What a message holds is freed once, whoever dies with it: a connection that nobody receives is
 * closed with the last process that has the pipe. Two pipes that are in messages of each other
 * stay for as long as the tree of processes.
 */
mp_status mp_connection_send_handles(mp_connection *connection,
                                     const void *data,
                                     size_t len,
                                     const void *const *handles,
                                     size_t count,
                                     mp_timeout timeout);

/*
 * Sends a message as mp_connection_send_handles does, which carries descriptors of the program's,
 * of any files, besides. mp_buffer_fd takes them out of what mp_connection_recv_buffer receives.
 *
 * data: may be NULL where len is 0. len: bytes.
 * handles: as of mp_connection_send_handles. count: how many.
 * fds: the descriptors, of which copies go: the caller's own stay open. May be NULL where fd_count
 *     is 0. fd_count: how many; together with the connections and listeners among the handles at
 *     most 253.
 * timeout: nanoseconds.
 *
 * MP_ERR_INVALID: fds is NULL, or there are more than 253; or as mp_connection_send_handles.
 * MP_ERR_OS: one of fds is closed, no descriptor is free, or the kernel takes no more that are on
 *     their way.
 * MP_ERR_UNSUPPORTED, MP_ERR_BAD_HANDLE, MP_ERR_TIMEOUT, MP_ERR_EOF, MP_ERR_CLOSED, MP_ERR_STATE,
 *     MP_ERR_NO_MEMORY: as mp_connection_send_handles.
 *
 * Threads: as mp_connection_send.
 * Kill: as mp_connection_send_handles. A descriptor that nobody receives is closed with the last
 * process that has the pipe.
 */
mp_status mp_connection_send_fds(mp_connection *connection,
                                 const void *data,
                                 size_t len,
                                 const void *const *handles,
                                 size_t count,
                                 const int *fds,
                                 size_t fd_count,
                                 mp_timeout timeout);

/* How many descriptors came with a message; 0 with mp_last_error() for a bad handle. */
size_t mp_buffer_fds(const mp_buffer *buffer);

/*
 * A descriptor that came with a message: another one at each call, of the same file, for the
 * caller to close. It is close-on-exec. A buffer that is freed closes its own.
 *
 * index: from 0, in the order in which they were sent. fd: where it goes.
 *
 * MP_ERR_INVALID: there is none of this index, or fd is NULL.
 * MP_ERR_OS: no descriptor is free.
 * MP_ERR_STATE: the message was overwritten by a stray pointer.
 *
 * Threads: any number at a time, but mp_buffer_free.
 */
mp_status mp_buffer_fd(mp_buffer *buffer, size_t index, int *fd);

/* ---- connection_lend ----------------------------------------------------------------------------
 *
 * Messages through a connection without a copy: written where they will lie, and read where they
 * are. Others send and receive meanwhile. Through a pipe they go in shared memory; over a socket,
 * where the same calls work, each is copied once on its way out, and once on its way in. For
 * messages of some dozens of KiB and more; smaller ones are faster copied.
 */

/*
 * Makes room for a message of at most len bytes, which the caller then writes there, and sends by
 * mp_connection_commit or gives up by mp_connection_cancel. It is in no order with others before
 * the commit.
 *
 * len: bytes. data: where the room's address goes, at a multiple of 64. The bytes are undefined.
 *
 * MP_ERR_INVALID: data is NULL, or len is more than max_message, as of mp_connection_send.
 * MP_ERR_CLOSED: this end was closed.
 * MP_ERR_STATE: this end only receives, or belongs to another process.
 * MP_ERR_NO_MEMORY: there is no memory for so much.
 *
 * Threads: any thread of this process may commit or cancel it, one of them.
 * Fork: a child has no part in what its parent reserved.
 * Kill: what a killed process had reserved is freed.
 */
mp_status mp_connection_reserve(mp_connection *connection, size_t len, void **data);

/*
 * Sends what was written to the room at data, waiting for up to timeout until the connection
 * takes it. The room is the caller's no more; after a failure it still is.
 *
 * Through a pipe it goes whole, or not at all. Each way of a pipe has room for 16 messages that
 * were lent or carry handles, of together at most a MiB; a longer one goes when there is no other.
 *
 * data: from mp_connection_reserve of the same connection. len: how many of its bytes are the
 *     message, at most as many as were reserved.
 * timeout: nanoseconds.
 *
 * MP_ERR_INVALID: nothing is reserved there, or less than len.
 * MP_ERR_TIMEOUT, MP_ERR_EOF, MP_ERR_CLOSED, MP_ERR_STATE, MP_ERR_NO_MEMORY, MP_ERR_OS: as
 *     mp_connection_send.
 *
 * Kill: a process killed in here has sent the whole message through a pipe, or nothing; over a
 * socket, as mp_connection_send.
 */
mp_status mp_connection_commit(mp_connection *connection,
                               void *data,
                               size_t len,
                               mp_timeout timeout);

/*
 * Gives up the room at data, also of an end that was closed.
 *
 * data: from mp_connection_reserve of the same connection.
 *
 * MP_ERR_INVALID: nothing is reserved there.
 * MP_ERR_STATE: this end belongs to another process.
 */
mp_status mp_connection_cancel(mp_connection *connection, void *data);

/*
 * Receives the next message to be read where it is, waiting for one for up to timeout. One that
 * was not sent by mp_connection_commit, or came over a socket, is copied, once.
 *
 * data: where the message's address goes, aligned for any type: until mp_connection_release, or
 *     mp_connection_free, it stays there. An empty message's address is not to be followed.
 * len: how many bytes it has goes here.
 * timeout: nanoseconds.
 *
 * MP_ERR_INVALID: data or len is NULL.
 * MP_ERR_TIMEOUT, MP_ERR_EOF, MP_ERR_CLOSED, MP_ERR_UNSUPPORTED, MP_ERR_STATE, MP_ERR_OS: as
 *     mp_connection_recv.
 * MP_ERR_NO_MEMORY: there is no memory to write down that this process has the message, or for
 *     its copy. What has come of it is kept.
 *
 * Threads: any thread of this process may release it, one of them.
 * Fork: a child has no part in what its parent peeked.
 * Kill: as with mp_connection_recv a message is received once: what a killed process had peeked
 * goes with it. A queue hands such out again.
 */
mp_status mp_connection_peek(mp_connection *connection,
                             const void **data,
                             size_t *len,
                             mp_timeout timeout);

/*
 * Ends the reading of a peeked message, also of an end that was closed. The message is then gone.
 *
 * data: from mp_connection_peek of the same connection.
 *
 * MP_ERR_INVALID: nothing was peeked there.
 * MP_ERR_STATE: this end belongs to another process.
 */
mp_status mp_connection_release(mp_connection *connection, const void *data);

/* ---- connection_auth ----------------------------------------------------------------------------
 *
 * A proof of a key over a connection that is there already, for who is let in by rules of the program's own. Listeners
 * and clients with a key do it by themselves.
 */

/*
 * Has the other end prove that it knows the key, which does so by mp_connection_answer_challenge.
 * A listener and a client with a key do this by themselves, both ways.
 *
 * key: from 1 to 65,536 bytes. key_size: how many.
 * allow_md5: HMAC-MD5 will do, which is what CPython up to 3.11 knows.
 * timeout: nanoseconds.
 *
 * MP_ERR_AUTH: the other end does not know the key, or sends something else.
 * MP_ERR_TIMEOUT: it did not answer in time. The conversation cannot be taken up again.
 * MP_ERR_INVALID: the key has no such length, or the challenge is longer than max_message.
 * MP_ERR_EOF, MP_ERR_CLOSED, MP_ERR_STATE: as mp_connection_recv.
 */
mp_status mp_connection_deliver_challenge(mp_connection *connection,
                                          const void *key,
                                          size_t key_size,
                                          bool allow_md5,
                                          mp_timeout timeout);

/*
 * Proves to the other end that this one knows the key: the other side of
 * mp_connection_deliver_challenge.
 *
 * key: from 1 to 65,536 bytes. key_size: how many.
 * allow_md5: HMAC-MD5 will do, which is what CPython up to 3.11 asks for.
 * timeout: nanoseconds.
 *
 * MP_ERR_AUTH: the other end does not accept the key, or sends something else.
 * MP_ERR_TIMEOUT: it did not ask, or judge, in time. The conversation cannot be taken up again.
 * MP_ERR_INVALID: the key has no such length.
 * MP_ERR_EOF, MP_ERR_CLOSED, MP_ERR_STATE: as mp_connection_recv.
 */
mp_status mp_connection_answer_challenge(mp_connection *connection,
                                         const void *key,
                                         size_t key_size,
                                         bool allow_md5,
                                         mp_timeout timeout);

/* ---- pipe ---------------------------------------------------------------------------------------
 *
 * Pipes: two connected ends, one for each of two processes.
 */

/* Options of mp_pipe_new. */
typedef struct mp_pipe_options {
    /* sizeof(mp_pipe_options). */
    size_t size;
    /* Both ends send and receive. Otherwise the first only receives, and the second only sends. */
    bool duplex;
} mp_pipe_options;

/* The defaults: mp_pipe_options o = MP_PIPE_OPTIONS; */
#define MP_PIPE_OPTIONS { sizeof(mp_pipe_options), true }

/*
 * MP_PIPE_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_pipe_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_pipe_options_init(mp_pipe_options *options, size_t size);

/*
 * Makes two ends that are connected. Hand one to a child as an argument, and free it here after
 * the start: the other end gets MP_ERR_EOF only when no process has this one any more.
 *
 * A pipe takes 257 KiB of shared memory, or 129 KiB if not duplex, and a descriptor for each
 * process that has an end. What is sent goes through 128 KiB each way, whatever its length.
 *
 * first, second: where the handles go. options: NULL for the defaults.
 *
 * MP_ERR_INVALID: first and second are the same place.
 * MP_ERR_NO_MEMORY: the shared memory is used up.
 * MP_ERR_OS: no descriptor is free.
 */
mp_status mp_pipe_new(mp_connection **first,
                      mp_connection **second,
                      const mp_pipe_options *options);

/* ---- listener -----------------------------------------------------------------------------------
 *
 * Listeners and clients: connections between processes that need not be related, also on
 * different machines. What is said is what Python's multiprocessing.connection says, so that a
 * Client of Python's can connect to a listener of libmp's, and the other way round.
 *
 * An address is text. "/tmp/x" and "./x" are sockets in the file system, which only their user
 * can connect to; "@name" is one without a file, which goes with its listener whatever becomes
 * of that; "127.0.0.1:80", "[::1]:80" and "host:80" are TCP; "vsock:2:80" is a port of the
 * virtual machines' sockets, with the number of a machine, or any, before it. "unix:",
 * "abstract:" or "tcp:" before an address says what it is, where that could be mistaken. Port 0
 * is one that the system chooses.
 *
 * With a key both sides prove that they know it before anything else is sent: each sends random
 * bytes, and the other answers with their HMAC-SHA-256. The key itself is not sent. What follows
 * is neither encrypted nor signed.
 */

/* Who waits for clients at an address. */
typedef struct mp_listener mp_listener;

/* Options of mp_listener_new. */
typedef struct mp_listener_options {
    /* sizeof(mp_listener_options). */
    size_t size;
    /* So many clients may wait to be accepted; the system has a limit of its own. */
    int backlog;
    /* What a client has to know; copied. NULL: everybody is let in. */
    const void *key;
    /* Bytes of key, from 1 to 65,536 where there is one. */
    size_t key_size;
    /* Also clients that know only HMAC-MD5 are let in: those of CPython up to 3.11. */
    bool allow_md5;
    /* At an address that begins with @, also clients of other users are let in. root always is. */
    bool any_user;
    /*
     * How long a client may take to prove the key, in nanoseconds; 0 for 10 seconds. Others do
     * not wait for it.
     */
    mp_timeout handshake_timeout;
    /*
     * The most bytes of a message, either way, once the key is proved: what announces a longer
     * one is not received, whatever it is, and no memory is taken for it. 0 for 1 GiB, SIZE_MAX
     * for any number.
     */
    size_t max_message;
} mp_listener_options;

/* Options of mp_client_connect. */
typedef struct mp_client_options {
    /* sizeof(mp_client_options). */
    size_t size;
    /* What both sides know; copied. NULL: nothing is proved. */
    const void *key;
    /* Bytes of key, from 1 to 65,536 where there is one. */
    size_t key_size;
    /* Also a listener that knows only HMAC-MD5 will do: one of CPython up to 3.11. */
    bool allow_md5;
    /*
     * At an address that begins with @, also another user's listener will do. root's always
     * does.
     */
    bool any_user;
    /* As a listener's. */
    size_t max_message;
} mp_client_options;

/* The defaults: mp_listener_options o = MP_LISTENER_OPTIONS; */
#define MP_LISTENER_OPTIONS { sizeof(mp_listener_options), 128, NULL, 0, false, false, 0, 0 }
/* The defaults: mp_client_options o = MP_CLIENT_OPTIONS; */
#define MP_CLIENT_OPTIONS { sizeof(mp_client_options), NULL, 0, false, false, 0 }

/*
 * MP_LISTENER_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_listener_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_listener_options_init(mp_listener_options *options, size_t size);

/*
 * MP_CLIENT_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_client_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_client_options_init(mp_client_options *options, size_t size);

/*
 * Makes a listener. Clients can connect from now on, and wait until they are accepted.
 *
 * listener: where the handle goes.
 * address: text, ended by a zero; NULL for one that begins with @ and that nobody can guess.
 * options: NULL for the defaults.
 *
 * MP_ERR_EXISTS: somebody has the address. A file that is in the way and that a listener of the
 *     same user left behind, which was killed, is removed.
 * MP_ERR_INVALID: address is no address, or longer than a socket's may be (107 bytes); the key
 *     has no such length; backlog is less than 1; or handshake_timeout is negative.
 * MP_ERR_NOT_FOUND: there is no such host.
 * MP_ERR_UNSUPPORTED: the system does not have this kind of socket.
 * MP_ERR_OS: the address cannot be had, or no descriptor is free.
 *
 * Threads: to find out the address of a host by its name takes as long as the system's resolver
 * takes.
 * Fork: a child of libmp's gets a listener as an argument. One that the program forks itself has a
 * copy under the same handle, so that several processes accept; its parent's clients who wait
 * stay its parent's.
 * Kill: a socket's file stays behind, for the next listener to remove; nothing else does.
 */
mp_status mp_listener_new(mp_listener **listener,
                          const char *address,
                          const mp_listener_options *options);

/*
 * Waits for a client and, with a key, until it has proved that it knows it. While one takes its
 * time others are let in.
 *
 * connection: where the handle goes.
 * timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: no client came, or those who came are not through.
 * MP_ERR_AUTH: a client was not let in: it does not know the key, does not speak the protocol,
 *     went away or took too long to prove the key, or is another user's. The listener goes on.
 * MP_ERR_CLOSED: the listener was closed.
 * MP_ERR_STATE: it belongs to another process.
 * MP_ERR_OS: no descriptor is free. The client still waits, and the listener goes on.
 * MP_ERR_NO_MEMORY: there is no handle for the connection. So it is then.
 *
 * Threads: any number may accept; each client goes to one.
 * Kill: clients who wait are accepted by other processes that have the listener, if any.
 */
mp_status mp_listener_accept(mp_listener *listener, mp_connection **connection, mp_timeout timeout);

/*
 * The address, with the port that the system has chosen. A client may use it as it is, unless it
 * means any address of the machine.
 *
 * address: room for text and the zero that ends it. size: bytes of room.
 * needed: how many bytes it takes goes here; may be NULL.
 *
 * MP_ERR_TOO_SMALL: it takes more than size.
 * MP_ERR_INVALID: address is NULL, and size is not 0.
 * MP_ERR_STATE: it belongs to another process.
 */
mp_status mp_listener_address(const mp_listener *listener,
                              char *address,
                              size_t size,
                              size_t *needed);

/*
 * Where the client came from that was accepted last: "" for a socket of this machine, which
 * mostly has no address.
 *
 * address: room for text and the zero that ends it. size: bytes of room.
 * needed: how many bytes it takes goes here; may be NULL.
 *
 * MP_ERR_STATE: none was accepted yet, or the listener belongs to another process.
 * MP_ERR_TOO_SMALL: it takes more than size.
 * MP_ERR_INVALID: address is NULL, and size is not 0.
 */
mp_status mp_listener_last_accepted(const mp_listener *listener,
                                    char *address,
                                    size_t size,
                                    size_t *needed);

/*
 * A descriptor for poll and epoll: when it is readable, mp_listener_accept with MP_NO_WAIT is
 * due, which may still say MP_ERR_TIMEOUT. It stays the listener's.
 *
 * fd: where its number goes.
 *
 * MP_ERR_CLOSED: the listener was closed.
 * MP_ERR_STATE: it belongs to another process.
 */
mp_status mp_listener_fileno(const mp_listener *listener, int *fd);

/*
 * Closes the listener. Its socket's file goes, if this process has made it; whoever was not
 * accepted yet sees the end; connections that were stay. Again is fine. A process does this at
 * its normal end.
 *
 * MP_ERR_STATE: it belongs to another process.
 *
 * Threads: one that waits in another call on it leaves that with MP_ERR_CLOSED, within half a
 * second.
 */
mp_status mp_listener_close(mp_listener *listener);

#ifdef MP_SCOPE_
/* MP_WITH_LISTENER(listener) { ... } closes and frees the listener on every way out of the
 * braces, see MP_WITH_LOCK. One that was closed before is passed over, and is still there. */
#define MP_WITH_LISTENER(listener) MP_SCOPE_(mp_listener, listener)
#endif

/*
 * The begin of MP_WITH_LISTENER. Answers the handle, or NULL with mp_last_error() where the
 * listener was closed, or is another process's.
 */
mp_listener *mp_listener_enter(mp_listener *listener);

/*
 * The end of MP_WITH_LISTENER: closes and frees it, and sets the pointer to NULL.
 *
 * listener: points to the handle; nothing happens where either is NULL.
 */
void mp_listener_leave(mp_listener **listener);

/*
 * Closes the listener, and frees the handle. NULL is fine.
 *
 * MP_ERR_STATE: it belongs to another process.
 */
mp_status mp_listener_free(mp_listener *listener);

/*
 * Connects to a listener, and proves the key if there is one.
 *
 * connection: where the handle goes.
 * address: text, ended by a zero.
 * options: NULL for the defaults.
 * timeout: nanoseconds for all of it.
 *
 * MP_ERR_NOT_FOUND: nobody listens there, or there is no such host.
 * MP_ERR_TIMEOUT: the listener has too many clients waiting, or does not say anything.
 * MP_ERR_AUTH: the listener does not know the key, does not accept it, or speaks something else;
 *     or it is another user's.
 * MP_ERR_EOF: the listener closed the connection before the key was proved.
 * MP_ERR_INVALID: address is NULL or no address, or the key has no such length.
 * MP_ERR_UNSUPPORTED: the system does not have this kind of socket.
 * MP_ERR_OS: the address cannot be reached, or no descriptor is free.
 *
 * Threads: to find out the address of a host by its name takes as long as the system's resolver
 * takes, whatever the timeout.
 */
mp_status mp_client_connect(mp_connection **connection,
                            const char *address,
                            const mp_client_options *options,
                            mp_timeout timeout);

/* ---- manager ------------------------------------------------------------------------------------
 *
 * Managers: dicts, lists, queues, locks and other objects that a server keeps, for processes that
 * need not be relatives, nor on one machine. A process uses them through proxies.
 *
 * A manager is made by mp_manager_new, and then either started (a server in a process of its own,
 * which ends with the manager), or connected (to a server that is there), or it serves in the
 * caller's thread.
 */

/* A manager. */
typedef struct mp_manager mp_manager;

/*
 * A managed object, as a process uses it. A handle of the process that has it; in a child by fork
 * it works, too, and holds the object from its first use there.
 */
typedef struct mp_proxy mp_proxy;

/* Options of mp_manager_new. What it points to is copied by mp_manager_new. */
typedef struct mp_manager_options {
    /* sizeof(mp_manager_options). */
    size_t size;
    /*
     * Where the server listens: "host:port", "/path" or "@name", as mp_listener_new has it. NULL:
     * where nobody can guess.
     */
    const char *address;
    /* What clients have to know. NULL: the process's key, see mp_get_authkey. */
    const void *key;
    /* Bytes of key, from 1 to 65,536 where there is one. */
    size_t key_size;
    /*
     * At an address that begins with @, also clients of other users are let in that know the
     * key; a client takes another user's server.
     */
    bool any_user;
    /* Of the server's process, an mp_start_method; 0 for the default one. */
    int start_method;
    /* Instead of start_method; NULL for none. */
    const mp_context *context;
    /*
     * How long mp_manager_start waits until the server is ready, its initializer included, in
     * nanoseconds; 0 for 30 seconds.
     */
    mp_timeout start_timeout;
    /*
     * How long mp_manager_shutdown waits for the server's end before it sends SIGTERM, and then
     * before it sends SIGKILL, in nanoseconds; 0 for one second. mp_manager_serve_forever waits so
     * long for methods of registered types that still run.
     */
    mp_timeout shutdown_timeout;
    /*
     * How long a call waits for the server's answer, in nanoseconds, beside the timeout that it
     * has itself; 0 for 30 seconds.
     */
    mp_timeout patience;
    /* Called in the server's process when it begins; NULL for none. */
    mp_function initializer;
    /* The longest message that the server takes or sends, in bytes; 0 for 64 MiB. */
    size_t max_message;
    /*
     * What the server stores at most, in bytes, about, the memory of a SharedMemory and of a
     * ShareableList included; 0 for 1 GiB. As much again may be on its way to and from clients.
     * Where that is not enough it cuts off whoever holds up most of it, by not reading what it
     * asked for or by sending half a message.
     */
    size_t max_stored;
} mp_manager_options;

/* The defaults: mp_manager_options o = MP_MANAGER_OPTIONS; */
#define MP_MANAGER_OPTIONS { sizeof(mp_manager_options), NULL, NULL, 0, false, MP_START_DEFAULT,  \
    NULL, 0, 0, 0, NULL, 0, 0 }

/*
 * MP_MANAGER_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_manager_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_manager_options_init(mp_manager_options *options, size_t size);

/*
 * Makes a manager that is neither started nor connected.
 *
 * manager: where the handle goes.
 * options: NULL for the defaults.
 *
 * MP_ERR_INVALID: a member of options is out of its range, or there are a context and a start
 *     method.
 * MP_ERR_BAD_HANDLE: the context is none.
 *
 * Fork: it belongs to the process that made it. Its objects' proxies can be used in children.
 */
mp_status mp_manager_new(mp_manager **manager, const mp_manager_options *options);

/*
 * Starts a server in a process of its own, which listens when the call returns. It ends with
 * mp_manager_shutdown, with mp_manager_free, and with this process, however that ends.
 *
 * MP_ERR_STATE: it was started, connected or shut down before, or belongs to another process.
 * MP_ERR_EXISTS: somebody has the address.
 * MP_ERR_INVALID: the address is none.
 * MP_ERR_NOT_FOUND: there is no such host.
 * MP_ERR_UNSUPPORTED: the system does not have this kind of socket.
 * MP_ERR_REMOTE: the server ended before it was ready, in its initializer for example.
 * MP_ERR_TIMEOUT: it was not ready within start_timeout. It is gone, and may be started again.
 * MP_ERR_OS, MP_ERR_NO_MEMORY, MP_ERR_NOT_INITIALIZED, MP_ERR_UNKNOWN_TARGET: as
 *     mp_process_start.
 *
 * Threads: the server takes no part in the terminal's Ctrl-C.
 * Kill: a server that is killed takes its objects along. Calls that are on their way fail with
 * MP_ERR_EOF, and so do later ones.
 */
mp_status mp_manager_start(mp_manager *manager);

/*
 * Connects to the server at the address of the options, by their key.
 *
 * timeout: nanoseconds for all of it.
 *
 * MP_ERR_NOT_FOUND: nobody listens there, or there is no such host.
 * MP_ERR_AUTH: the server does not know the key or does not accept it, is another user's, or is
 *     no manager's.
 * MP_ERR_TIMEOUT: the server does not take the connection, or does not say anything.
 * MP_ERR_EOF: the server closed the connection before the key was proved.
 * MP_ERR_INVALID: the options had no address, or it is none.
 * MP_ERR_STATE: it was started, connected or shut down before, or belongs to another process.
 * MP_ERR_UNSUPPORTED: the server speaks another version of the protocol, or the system does not
 *     have this kind of socket.
 * MP_ERR_OS: the address cannot be reached, or no descriptor is free.
 */
mp_status mp_manager_connect(mp_manager *manager, mp_timeout timeout);

/*
 * Serves in the calling thread, until another thread calls mp_manager_shutdown.
 *
 * MP_ERR_STATE, MP_ERR_EXISTS, MP_ERR_INVALID, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_OS:
 *     as mp_manager_start.
 *
 * Threads: other threads may use the manager meanwhile, as soon as mp_manager_address says where
 * it is.
 */
mp_status mp_manager_serve_forever(mp_manager *manager);

/*
 * Where the server is, with the port that the system has chosen.
 *
 * address: room for text and the zero that ends it. size: bytes of room.
 * needed: how many bytes it takes goes here; may be NULL.
 *
 * MP_ERR_STATE: it was not started or connected, was shut down, or belongs to another process.
 * MP_ERR_TOO_SMALL: it takes more than size.
 * MP_ERR_INVALID: address is NULL, and size is not 0.
 */
mp_status mp_manager_address(const mp_manager *manager, char *address, size_t size, size_t *needed);

/*
 * The number of the server's process.
 *
 * pid: where it goes.
 *
 * MP_ERR_STATE: it was not started, or belongs to another process.
 */
mp_status mp_manager_pid(const mp_manager *manager, int *pid);

/*
 * Makes an object, which lives as long as some process has a proxy of it, or another object holds
 * it. The types are "dict", "list", "set", "Namespace", "Value", "Array", "Queue",
 * "JoinableQueue", "Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Barrier",
 * "Event", "Pool", "SharedMemory" and "ShareableList" (see mp_proxy_shared_memory);
 * docs/manager-protocol.md has what each is made of, and its methods. There are also those that
 * mp_manager_register has named.
 *
 * proxy: where the handle goes.
 * type: its name.
 * items: count items. count: how many; 0 is fine.
 *
 * MP_ERR_UNSUPPORTED: the server has no such type.
 * MP_ERR_INVALID: type is NULL or longer than 255 bytes; items is NULL and count is not 0; an
 *     item is none; or the type is not made of such items.
 * MP_ERR_NO_MEMORY: the server, or this process, has no room for it.
 * MP_ERR_STATE: the manager was not started or connected, was shut down, or belongs to another
 *     process.
 * MP_ERR_CLOSED, MP_ERR_BAD_HANDLE: an item is a proxy of an object that is gone, or no proxy.
 * MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_TOO_SMALL, MP_ERR_AUTH, MP_ERR_OS: as mp_proxy_call.
 * MP_ERR_UNKNOWN_TARGET: the server's program has registered no function under the name of the
 *     barrier's action.
 * Others: what a registered type's create failed with.
 */
mp_status mp_manager_create(mp_manager *manager,
                            mp_proxy **proxy,
                            const char *type,
                            const mp_item *items,
                            size_t count);

/*
 * How many objects the server has.
 *
 * number: where it goes.
 *
 * MP_ERR_STATE: the manager was not started or connected, was shut down, or belongs to another
 *     process.
 * MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_AUTH, MP_ERR_OS: as mp_proxy_call.
 */
mp_status mp_manager_number_of_objects(const mp_manager *manager, uint64_t *number);

/*
 * What the server has, for people to read: a line of sums, and one for each object.
 *
 * text: where the handle of the text goes, which is not ended by a zero.
 *
 * MP_ERR_STATE, MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_AUTH, MP_ERR_OS: as
 *     mp_manager_number_of_objects.
 */
mp_status mp_manager_debug_info(const mp_manager *manager, mp_buffer **text);

/*
 * Ends the server that mp_manager_start has started, or mp_manager_serve_forever in another
 * thread; its objects go with it. Again is fine.
 *
 * MP_ERR_STATE: it has no server of its own, or belongs to another process.
 */
mp_status mp_manager_shutdown(mp_manager *manager);

/*
 * Waits for the end of the server's process.
 *
 * timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: it still runs.
 * MP_ERR_STATE: the manager has no server process, or belongs to another process.
 */
mp_status mp_manager_join(mp_manager *manager, mp_timeout timeout);

#ifdef MP_SCOPE_
/* MP_WITH_MANAGER(manager) { ... } starts the manager, where it was not started yet, and shuts it
 * down and frees it on every way out of the braces, see MP_WITH_LOCK. Its objects go with it. One
 * that cannot be started is passed over, and is still there. */
#define MP_WITH_MANAGER(manager) MP_SCOPE_(mp_manager, manager)
#endif

/*
 * The begin of MP_WITH_MANAGER. Answers the handle, or NULL with mp_last_error() where
 * mp_manager_start fails, or the manager was shut down.
 */
mp_manager *mp_manager_enter(mp_manager *manager);

/*
 * The end of MP_WITH_MANAGER: shuts down and frees the manager, and sets the pointer to NULL.
 *
 * manager: points to the handle; nothing happens where either is NULL.
 */
void mp_manager_leave(mp_manager **manager);

/*
 * Shuts a server of its own down, and frees the handle. Proxies stay, and can be used as long as
 * there is a server. NULL is fine.
 *
 * MP_ERR_STATE: it belongs to another process.
 */
mp_status mp_manager_free(mp_manager *manager);

/* ---- item ---------------------------------------------------------------------------------------
 *
 * Values for managers' objects. What they point to is the caller's, and is copied by the call
 * that they are passed to.
 */

/* Nothing. */
mp_item mp_item_none(void);

/* An integer. */
mp_item mp_item_int(int64_t integer);

/* A double. */
mp_item mp_item_double(double number);

/* True or false. */
mp_item mp_item_bool(bool boolean);

/* A text in UTF-8, ended by a zero. NULL: the empty one. */
mp_item mp_item_text(const char *text);

/* Bytes. data: may be NULL where len is 0. len: how many. */
mp_item mp_item_bytes(const void *data, size_t len);

/* A managed object, which the object that it is stored in keeps from then on. */
mp_item mp_item_proxy(const mp_proxy *proxy);

/* ---- proxy --------------------------------------------------------------------------------------
 *
 * Proxies: what stands for a manager's object in a process. A call on one is a message to the
 * server and its answer back. Each call that waits has a connection of its own, so that it holds
 * up no other.
 */

/*
 * What a call came to: any number of items. It is the caller's until mp_answer_free, and so is
 * what its items point to.
 */
typedef struct mp_answer mp_answer;

/* One call of several that are made as one. */
typedef struct mp_proxy_step {
    /* Of the same manager as the others'. */
    const mp_proxy *proxy;
    /* A method's name. */
    const char *method;
    /* Its arguments. */
    const mp_item *items;
    /* How many. */
    size_t count;
} mp_proxy_step;

/*
 * Calls a method of the object. docs/manager-protocol.md has the methods of each type.
 *
 * method: its name.
 * items: count items, its arguments. count: how many; 0 is fine.
 * answer: where the handle of the answer goes, to be freed by mp_answer_free; NULL if it is not
 *     wanted.
 * timeout: nanoseconds that the server may let the call wait for what is not there yet. For the
 *     answer itself the call waits longer: see patience in mp_manager_options. A condition's
 *     wait, when it was notified or its time is over, has to take the lock again, and may wait
 *     for that as long as patience says. If it cannot, it answers MP_ERR_TIMEOUT without the
 *     lock; to release it then is MP_ERR_NOT_OWNER.
 *
 * MP_OWNER_DIED: the lock is the caller's, and its last holder died with it.
 * MP_ERR_UNSUPPORTED: the type has no such method, or not with such arguments.
 * MP_ERR_NOT_FOUND: there is no such key, name or value.
 * MP_ERR_INVALID: method is NULL; items is NULL and count is not 0; an item is none, or of
 *     another manager; an index is out of range; or the object does not take such a value.
 * MP_ERR_CLOSED: the object is gone: this process lost its connections, and nobody else held it.
 * MP_ERR_TIMEOUT: what the call waits for did not come in time; or the server did not answer in
 *     time, and may do yet what was asked for.
 * MP_ERR_EMPTY, MP_ERR_FULL: with MP_NO_WAIT, the queue is.
 * MP_ERR_OVER_RELEASE: the lock is not held, the semaphore has no more, or there were not so many
 *     tasks.
 * MP_ERR_NOT_OWNER: the caller does not hold the RLock or the condition's lock, or this process
 *     has not taken so much of a semaphore that is given back.
 * MP_ERR_BROKEN_BARRIER: the barrier was broken, or broke meanwhile: by an abort or a reset, or
 *     by one who waited and whose time ran out, this one included, or who died.
 * MP_ERR_NO_MEMORY: the server, or this process, has no room for it.
 * MP_ERR_TOO_SMALL: the message is longer than the server takes, or the answer would be, or would
 *     have more than 1,048,576 items: see mp_proxy_next.
 * MP_ERR_EOF: the server is gone, also where another one is at its address.
 * MP_ERR_BAD_HANDLE: an item is a proxy that is none.
 * MP_ERR_AUTH: as mp_manager_connect, where this call has to connect again.
 * MP_ERR_REMOTE: the server answers what no server does; or an exception left a method of a
 *     registered type, whose methods fail with any status.
 * MP_ERR_PANIC: the method failed in the server as no method should: a bug. The server goes on.
 * MP_ERR_OS: no descriptor is free, or the server cannot be reached; or it has no thread for the
 *     method of a registered type.
 *
 * Threads: any number.
 * Kill: what a killed process held is given back as soon as the server sees its connections end:
 * its proxies, and its locks, whose next holder is told. An item of a queue that it did not come to
 * read goes to the next one who gets; where a network ends in between, it may come twice.
 */
mp_status mp_proxy_call(const mp_proxy *proxy,
                        const char *method,
                        const mp_item *items,
                        size_t count,
                        mp_answer **answer,
                        mp_timeout timeout);

/*
 * Makes several calls as one: nobody else's call comes between them. The first that fails is the
 * last, and those before it are done. None of them waits.
 *
 * steps: count calls. count: how many; at least 1.
 * answer: where the handle of the answer goes: for each call an integer, how many items it came
 *     to, and then they. NULL if it is not wanted.
 *
 * MP_OWNER_DIED: of the locks that it took one had a holder that died with it.
 * MP_ERR_INVALID: steps is NULL or count is 0; the proxies are not of one manager; or as
 *     mp_proxy_call.
 * Others: as mp_proxy_call, with the number of the call that failed, from 0, in mp_last_error().
 */
mp_status mp_proxy_batch(const mp_proxy_step *steps, size_t count, mp_answer **answer);

/*
 * The object as text, as Python's str shows it: `[1, 'two', 3.0]`.
 *
 * text: where the handle of the text goes, which is not ended by a zero.
 *
 * MP_ERR_TOO_SMALL: it is longer than the longest message of the server.
 * MP_ERR_CLOSED, MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_AUTH, MP_ERR_OS: as mp_proxy_call.
 */
mp_status mp_proxy_str(const mp_proxy *proxy, mp_buffer **text);

/*
 * Tells about the proxy itself as Python does: `<Proxy[list] object at 0x108e28>`. The number is
 * the handle.
 *
 * text: where the text goes, ended by a zero; may be NULL where size is 0. size: bytes there.
 * needed: the bytes that it takes, the zero counted, go here; may be NULL.
 *
 * MP_ERR_TOO_SMALL: it takes more than size; needed is written, and nothing else.
 * MP_ERR_CLOSED, MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_AUTH, MP_ERR_OS: as mp_proxy_call.
 */
mp_status mp_proxy_describe(const mp_proxy *proxy, char *text, size_t size, size_t *needed);

/*
 * Bytes by which one other process, wherever it is, gets a proxy of the object: to be sent through
 * a queue or a connection. They are good once, hold the object until they were used, and for
 * a minute after this process has ended. The manager's key is not in them.
 *
 * bytes: where the handle of the bytes goes.
 *
 * MP_ERR_CLOSED, MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_AUTH, MP_ERR_OS: as mp_proxy_call.
 * MP_ERR_NO_MEMORY: the server, or this process, has no room for it.
 */
mp_status mp_proxy_export(const mp_proxy *proxy, mp_buffer **bytes);

/*
 * A proxy from the bytes of mp_proxy_export. A process that has a manager connected to the same
 * address, or a proxy from there, uses their key, another one its own (mp_set_authkey).
 *
 * proxy: where the handle goes.
 * data: the bytes. len: how many.
 *
 * MP_ERR_INVALID: they are none that mp_proxy_export made.
 * MP_ERR_CLOSED: they were used already, or are too old.
 * MP_ERR_EOF: the server of the object is gone.
 * MP_ERR_NOT_FOUND, MP_ERR_AUTH, MP_ERR_TIMEOUT, MP_ERR_UNSUPPORTED, MP_ERR_OS: as
 *     mp_manager_connect.
 */
mp_status mp_proxy_import(mp_proxy **proxy, const void *data, size_t len);

/*
 * Frees a proxy. The object goes with the last of them, unless another object holds it. A server
 * that does not answer is waited for one second. NULL is fine.
 */
mp_status mp_proxy_free(mp_proxy *proxy);

/* How many items an answer has; 0 with mp_last_error() for a bad handle. */
size_t mp_answer_count(const mp_answer *answer);

/*
 * An item of an answer. What it points to is good until mp_answer_free; a text has a zero behind
 * it. For a proxy there is mp_answer_proxy.
 *
 * index: from 0.
 * item: where it goes.
 *
 * MP_ERR_INVALID: there is no such item.
 */
mp_status mp_answer_item(const mp_answer *answer, size_t index, mp_item *item);

/*
 * An item of an answer that is an integer, a truth value or a double, which is cut; 0 with
 * mp_last_error() for another one.
 *
 * index: from 0.
 */
int64_t mp_answer_int(const mp_answer *answer, size_t index);

/*
 * A proxy for an item of an answer that is an object: a handle of its own, to be freed by
 * mp_proxy_free.
 *
 * index: from 0.
 * proxy: where the handle goes.
 *
 * MP_ERR_INVALID: there is no such item, or it is no object.
 */
mp_status mp_answer_proxy(const mp_answer *answer, size_t index, mp_proxy **proxy);

/* Frees an answer. NULL is fine. */
mp_status mp_answer_free(mp_answer *answer);

/* ---- proxy_items --------------------------------------------------------------------------------
 *
 * What is done with managed dicts, lists and others most often, each a call of mp_proxy_call in
 * fewer words. Where a function has a key, that is a dict's key, the index of a list or an Array
 * (from 0; from the end where it is negative), or the name in a Namespace; a Value has none, and
 * MP_ITEM_NONE stands there.
 */

/*
 * Reads an item.
 *
 * key: see above.
 * answer: where the handle of the answer goes, which has the item.
 *
 * MP_ERR_NOT_FOUND: there is no such key or name.
 * MP_ERR_INVALID: the index is out of range.
 * Others: as mp_proxy_call.
 */
mp_status mp_proxy_get(const mp_proxy *proxy, mp_item key, mp_answer **answer);

/*
 * Reads an item that is an integer or a truth value.
 *
 * key: see above.
 * integer: where it goes.
 *
 * MP_ERR_NOT_FOUND: there is no such key or name.
 * MP_ERR_INVALID: the index is out of range.
 * MP_ERR_REMOTE: it is something else.
 * Others: as mp_proxy_call.
 */
mp_status mp_proxy_get_int(const mp_proxy *proxy, mp_item key, int64_t *integer);

/*
 * Writes an item, in the place of the one that is there; in a dict and a Namespace also where
 * none is.
 *
 * key: see above. item: copied; of an object its proxy.
 *
 * MP_ERR_INVALID: the index is out of range, the name begins with _, a proxy cannot be a key, or
 *     an Array has no such numbers.
 * MP_ERR_NO_MEMORY: the server has no room for it.
 * Others: as mp_proxy_call.
 */
mp_status mp_proxy_set(const mp_proxy *proxy, mp_item key, mp_item item);

/*
 * Removes an item.
 *
 * key: see above.
 *
 * MP_ERR_NOT_FOUND: there is no such key or name.
 * MP_ERR_INVALID: the index is out of range.
 * Others: as mp_proxy_call.
 */
mp_status mp_proxy_del(const mp_proxy *proxy, mp_item key);

/*
 * Whether a dict or a Namespace has a key, or a list or a set an item.
 *
 * item: the key or the item. found: where the answer goes.
 *
 * Statuses: as mp_proxy_call.
 */
mp_status mp_proxy_contains(const mp_proxy *proxy, mp_item item, bool *found);

/*
 * How many items there are.
 *
 * length: where the number goes.
 *
 * Statuses: as mp_proxy_call.
 */
mp_status mp_proxy_len(const mp_proxy *proxy, size_t *length);

/*
 * Puts an item behind the others of a list.
 *
 * item: copied; of an object its proxy.
 *
 * MP_ERR_NO_MEMORY: the server has no room for it.
 * Others: as mp_proxy_call.
 */
mp_status mp_proxy_append(const mp_proxy *proxy, mp_item item);

/*
 * Adds to an integer that is there, nobody coming in between; in a dict one that is not there is
 * 0 before.
 *
 * key: see above. more: what is added.
 * sum: where the sum goes; may be NULL.
 *
 * MP_ERR_INVALID: it is no number, the sum does not fit into it, or the index is out of range.
 * MP_ERR_NOT_FOUND: there is no such name.
 * MP_ERR_REMOTE: it is a double: with mp_proxy_call there is "add" for those, too. It was added.
 * Others: as mp_proxy_call.
 */
mp_status mp_proxy_fetch_add(const mp_proxy *proxy, mp_item key, int64_t more, int64_t *sum);

/*
 * Writes an item if another one is there, nobody coming in between.
 *
 * key: see above. expected: what shall be there. item: what is written then.
 * done: whether it was; may be NULL.
 *
 * MP_ERR_NOT_FOUND: there is no such key or name.
 * MP_ERR_INVALID: the index is out of range.
 * Others: as mp_proxy_call.
 */
mp_status mp_proxy_compare_and_set(const mp_proxy *proxy,
                                   mp_item key,
                                   mp_item expected,
                                   mp_item item,
                                   bool *done);

/*
 * Some of the items of a dict, a list or a set, in their order, so that the whole need not come
 * at once. Items that are added or removed meanwhile come along or do not; those that stay come
 * once, in a list as long as nothing before them is added or removed.
 *
 * position: 0 at first; the call leaves there what the next call needs.
 * most: so many at most; fewer come where so many do not fit into one answer.
 * answer: where the handle of the answer goes: of a dict, keys and values in turn. At the end it
 *     has no items.
 *
 * MP_ERR_UNSUPPORTED: the object has no such order.
 * Others: as mp_proxy_call.
 */
mp_status mp_proxy_next(const mp_proxy *proxy, int64_t *position, size_t most, mp_answer **answer);

/*
 * Waits until a dict's key has changed: until it was written, also with the same item, or removed.
 *
 * key: of the dict.
 * version: of the key, as the last call has left it here; 0 at first, then it returns at once. The
 *     new one goes here. No change is missed between two calls, but several count as one. For
 *     a key that is not there, the version also changes when another key is removed: the call then
 *     returns without a change of this one.
 * answer: where the handle of the answer goes: the key's item, or none where it is not there.
 * timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: it has not changed in time; or as mp_proxy_call.
 * MP_ERR_INVALID: a proxy cannot be a key; or as mp_proxy_call.
 * MP_ERR_UNSUPPORTED: the object is no dict.
 * Others: as mp_proxy_call.
 */
mp_status mp_proxy_watch(const mp_proxy *proxy,
                         mp_item key,
                         int64_t *version,
                         mp_answer **answer,
                         mp_timeout timeout);

/*
 * Whether what a caller of mp_proxy_wait_for waits for is there. Asked while the condition's lock
 * is held. An exception must not leave it.
 */
typedef bool (*mp_proxy_fn)(const mp_proxy *condition, void *user);

/*
 * Waits at a managed condition until a predicate holds: asks it at once, and then whenever
 * notified.
 *
 * predicate: called in this process with the condition; it may use other proxies, and must leave
 *     the condition's lock held. user: handed to predicate.
 * timeout: nanoseconds, for all waits together.
 *
 * MP_OK: the predicate held, and the caller has the lock.
 * MP_OWNER_DIED: the same, and meanwhile a holder of the lock died with it.
 * MP_ERR_TIMEOUT: the predicate did not hold, not even when the time was over; the caller has the
 *     lock.
 * MP_ERR_INVALID: predicate is NULL.
 * MP_ERR_NOT_OWNER: the predicate did not hold, and the caller does not hold the lock.
 * Others: as mp_proxy_call.
 */
mp_status mp_proxy_wait_for(const mp_proxy *proxy,
                            mp_proxy_fn predicate,
                            void *user,
                            mp_timeout timeout);

/*
 * Takes a managed lock, which belongs to this process then; or an RLock, which belongs to this
 * thread; or one of a semaphore.
 *
 * timeout: nanoseconds.
 *
 * MP_OWNER_DIED: it is the caller's, and its last holder died with it.
 * MP_ERR_TIMEOUT: somebody else had it all the time.
 * Others: as mp_proxy_call.
 *
 * Kill: a lock of a process that was killed goes to the next one, which is told.
 */
mp_status mp_proxy_acquire(const mp_proxy *proxy, mp_timeout timeout);

/*
 * Releases a managed lock, whoever holds it; or an RLock of this thread; or one of a semaphore.
 *
 * MP_ERR_OVER_RELEASE: the lock is not held, or the semaphore has no more.
 * MP_ERR_NOT_OWNER: this thread does not hold the RLock, or this process has nothing of a
 *     semaphore that is given back.
 * Others: as mp_proxy_call.
 */
mp_status mp_proxy_release(const mp_proxy *proxy);

/* ---- managed_memory -----------------------------------------------------------------------------
 *
 * Shared memory and shareable lists that a manager's server makes, and that go with it or with the
 * last proxy, for processes that need not be relatives. A proxy keeps the memory, and can be handed
 * on like any other; by it each process gets a handle, with which bytes and items are read and
 * written in place, without the server.
 *
 * ```text
 *   with SharedMemoryManager() as smm:    MP_WITH_MANAGER(manager) {
 *       m = smm.SharedMemory(2000)            mp_item size = mp_item_int(2000);
 *                                             mp_manager_create(manager, &proxy, "SharedMemory",
 *                                                               &size, 1);
 *                                             mp_proxy_shared_memory(proxy, &m);
 *       l = smm.ShareableList(range(8))       mp_manager_create(manager, &other, "ShareableList",
 *                                                               items, 8);
 *                                             mp_proxy_shareable_list(other, &l);
 *                                         }
 * ```
 *
 * The memory has no name that anybody could find, guess or leave behind. When the server lets it go,
 * because its last proxy was freed, at its shutdown or at its death, those who have handles go on
 * with it; it is gone with the last of them, whatever ends them.
 */

/*
 * A handle for the memory behind a proxy of a SharedMemory, or for that of a ShareableList.
 *
 * memory: where the handle goes, to be freed by mp_shared_memory_free. It is good also when the
 *     proxy is not there any more, and can be handed to children.
 *
 * MP_ERR_UNSUPPORTED: the object is none of the two; or the memory cannot be reached from here,
 *     since the server is on another machine (which is assumed of a network address), in another
 *     container, another user's, or uses another version of libmp.
 * MP_ERR_NO_MEMORY: there is no room for one more handle, or for the memory in this process; or
 *     1023 processes use the memory; one that is larger has room for more.
 * MP_ERR_REMOTE: the object is of a registered type, and has a method "place" of its own.
 * MP_ERR_CLOSED, MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_AUTH, MP_ERR_OS: as mp_proxy_call.
 *
 * Fork: a child uses the same memory through the same handle.
 * Kill: what a killed process has written stays as it is. A killed server takes nothing from those
 * who have handles.
 */
mp_status mp_proxy_shared_memory(const mp_proxy *proxy, mp_shared_memory **memory);

/*
 * A handle for the list behind a proxy of a ShareableList.
 *
 * list: where the handle goes, to be freed by mp_shareable_list_free. It is good also when the
 *     proxy is not there any more, and can be handed to children.
 *
 * MP_ERR_STATE: the object is a SharedMemory, or somebody has damaged the list.
 * Others: as mp_proxy_shared_memory.
 *
 * Fork: a child uses the same list through the same handle.
 * Kill: as mp_proxy_shared_memory; a process that is killed while it stores text or bytes leaves
 * the item half written.
 */
mp_status mp_proxy_shareable_list(const mp_proxy *proxy, mp_shareable_list **list);

/* ---- object_type --------------------------------------------------------------------------------
 *
 * Types of the program's own for managers: what their objects are, and which methods they have, are
 * functions of the program that run in the server's process.
 *
 * ```text
 *   class Maths:                       static void *make(mp_call *call) { return NULL; }
 *       def add(self, x, y):           static void add(mp_call *call, void *object)
 *           return x + y               {
 *                                          int64_t x = mp_call_int(call, 0);
 *                                          int64_t y = mp_call_int(call, 1);
 *
 *                                          mp_call_return(call, mp_item_int(x + y));
 *                                      }
 *                                      mp_object_method methods[] = {{"add", add}};
 *                                      mp_object_options o = MP_OBJECT_OPTIONS;
 *                                      o.create = make;
 *                                      o.methods = methods;
 *                                      o.method_count = 1;
 *   MyManager.register('Maths', Maths) mp_manager_register(m, "Maths", &o);
 *   manager.start()                    mp_manager_start(m);
 *   maths = manager.Maths()            mp_manager_create(m, &maths, "Maths", NULL, 0);
 *   maths.add(4, 3)                    mp_proxy_call(maths, "add", items, 2, &answer, 0);
 * ```
 *
 * The functions run on threads of their own, 4096 at most: one call at a time for each object and
 * calls of different objects at the same time, so that one that takes long holds up those who call
 * the same object and nobody else. Of a concurrent type calls of one object run at the same time,
 * too, as in Python, and have to see to what they share. The caller waits as long as its timeout
 * and the manager's patience allow together. Where it gives up, or dies, before its call has begun,
 * the call is dropped; one that has begun runs to its end for nobody.
 *
 * A C++ exception that leaves a function is the caller's MP_ERR_REMOTE and harms no other. A crash,
 * an exit or an abort ends the server, which all its clients are told by MP_ERR_EOF. A function must
 * not end its thread, nor leave by longjmp.
 *
 * All signals are blocked in these threads, and in the children that a function starts there, by
 * fork or mp_process_start: what shall reach such a child it unblocks, SIGTERM for
 * mp_process_terminate.
 */

/*
 * A call of a function of a registered type. The function's until it returns, on any thread; then
 * it says MP_ERR_BAD_HANDLE.
 */
typedef struct mp_call mp_call;

/*
 * Makes an object: answers what stands for it in the program, which may be NULL, and which the
 * methods are called with. Its arguments are those of mp_manager_create. Where there can be no
 * object it calls mp_call_fail.
 */
typedef void *(*mp_object_create_fn)(mp_call *call);

/*
 * A method: takes its arguments from the call, and gives it what it shall answer.
 *
 * object: what stands for the object.
 */
typedef void (*mp_object_method_fn)(mp_call *call, void *object);

/*
 * Ends an object that nobody has any more.
 *
 * object: what stands for it.
 */
typedef void (*mp_object_destroy_fn)(void *object);

/* A method and its name. */
typedef struct mp_object_method {
    /*
     * What clients call it: 1 to 255 bytes of UTF-8. What a method "str" answers is what
     * mp_proxy_str gives; `<Maths object>`, where there is none.
     */
    const char *name;
    /* What is called. */
    mp_object_method_fn function;
} mp_object_method;

/* What a type is made of. What it points to is copied by mp_manager_register. */
typedef struct mp_object_options {
    /* sizeof(mp_object_options). */
    size_t size;
    /* Makes an object; NULL for a type whose objects come from methods only. */
    mp_object_create_fn create;
    /* Ends one; NULL where there is nothing to do. */
    mp_object_destroy_fn destroy;
    /* method_count methods: all that a client can call. */
    const mp_object_method *methods;
    /* How many. */
    size_t method_count;
    /*
     * The calls of one object run at the same time, in threads, and not one after the other in the
     * order in which they came. destroy is called when the last of them is over all the same.
     */
    bool concurrent;
} mp_object_options;

/* No methods: mp_object_options o = MP_OBJECT_OPTIONS; */
#define MP_OBJECT_OPTIONS { sizeof(mp_object_options), NULL, NULL, NULL, 0, false }

/*
 * MP_OBJECT_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_object_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_object_options_init(mp_object_options *options, size_t size);

/*
 * Has the manager's server know a type, before it is started or serves. A program that connects to
 * a server needs no types: the server has them. The server finds the functions as a spawned child
 * finds its target, see mp_process_start.
 *
 * name: the type's, for mp_manager_create: 1 to 255 bytes of UTF-8.
 * options: what it is made of; not NULL.
 *
 * MP_ERR_INVALID: name or options is NULL; a name is not UTF-8, is empty or longer than 255 bytes;
 *     methods is NULL and method_count is not 0; a method has no function; or two have one name.
 * MP_ERR_EXISTS: the manager has a type of this name.
 * MP_ERR_STATE: it was started, connected or shut down before, or belongs to another process.
 */
mp_status mp_manager_register(mp_manager *manager,
                              const char *name,
                              const mp_object_options *options);

/* ---- object_call --------------------------------------------------------------------------------
 *
 * In a function of a registered type: what it was called with, and what it answers.
 */

/* How many arguments there are; 0 with mp_last_error() for a bad handle. */
size_t mp_call_count(const mp_call *call);

/*
 * An argument. What it points to is good until the function returns; a text has a zero behind it.
 * For a proxy there is mp_call_proxy.
 *
 * index: from 0.
 * item: where it goes.
 *
 * MP_ERR_INVALID: there is no such argument.
 */
mp_status mp_call_item(const mp_call *call, size_t index, mp_item *item);

/*
 * An argument that is an integer, a truth value or a double, which is cut; 0 with mp_last_error()
 * for another one.
 *
 * index: from 0.
 */
int64_t mp_call_int(const mp_call *call, size_t index);

/*
 * A proxy for an argument that is a managed object: a handle of its own, to be freed by
 * mp_proxy_free. The functions of registered types use the server's objects as clients do; one
 * that calls its own object waits for itself, until its patience is over.
 *
 * index: from 0.
 * proxy: where the handle goes.
 *
 * MP_ERR_INVALID: there is no such argument, or it is no object.
 * MP_ERR_CLOSED: the object is gone, since the caller is.
 * MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_OS: as mp_proxy_call.
 */
mp_status mp_call_proxy(const mp_call *call, size_t index, mp_proxy **proxy);

/*
 * A manager that is connected to the server that the function runs in, to make objects there: a
 * handle of its own, to be freed by mp_manager_free.
 *
 * manager: where the handle goes.
 *
 * MP_ERR_INVALID: manager is NULL.
 */
mp_status mp_call_manager(const mp_call *call, mp_manager **manager);

/*
 * Adds an item to the answer; a function that makes an object has no answer but that.
 *
 * item: copied; of an object of this server its proxy.
 *
 * MP_ERR_INVALID: the item is none, or is of another manager.
 * MP_ERR_BAD_HANDLE: the function has returned; or the item is a proxy that is none.
 */
mp_status mp_call_return(mp_call *call, mp_item item);

/*
 * Adds a new object of a registered type to the answer: the caller gets its proxy.
 *
 * type: the type's name.
 * object: what stands for it from now on, as if the type's create had made it. Its destroy is
 *     called also where the function fails after this call, or nobody wants the answer any more.
 *
 * MP_ERR_INVALID: type is NULL.
 * MP_ERR_UNSUPPORTED: the server has no such registered type; the object is the caller's still.
 */
mp_status mp_call_return_object(mp_call *call, const char *type, void *object);

/*
 * Has the call fail: the caller's answers this status, with this sentence in its mp_last_error().
 * The last such call counts, and what was returned is dropped. The function still has to return.
 *
 * status: MP_ERR_INVALID and the others. message: ended by a zero; copied.
 *
 * MP_ERR_INVALID: status is none of a failure, or message is NULL.
 */
mp_status mp_call_fail(mp_call *call, int status, const char *message);

/* ---- process ------------------------------------------------------------------------------------
 *
 * Processes. A process object belongs to the process that made it; the child gets a context of
 * its own.
 */

/*
 * A child process, before, while and after it runs; or the process itself, or its parent: see
 * mp_current_process.
 */
typedef struct mp_process mp_process;

/* What a child's function is given: the way to its arguments. Good while the child lives. */
typedef struct mp_child mp_child;

/*
 * What a child runs. Its result is the exit code, of which the system keeps the low 8 bits. When
 * it returns, threads that it has begun end with the process, joined or not. A
 * C++ exception that leaves it ends the child with a report on its stderr and exit code 1.
 */
typedef int (*mp_process_fn)(mp_child *child, void *user);

/* Where one of a child's standard streams leads, where it is no descriptor. */
typedef enum mp_stream {
    /*
     * stdin to /dev/null, so that the child does not take the parent's input; stdout and stderr
     * where the parent's lead.
     */
    MP_STREAM_DEFAULT = -1,
    /* Where the parent's leads. */
    MP_STREAM_SAME = -2,
    /* To /dev/null. */
    MP_STREAM_NULL = -3,
} mp_stream;

/*
 * Whether a process is a daemon: one that does not keep its parent from ending, and dies with
 * it, however that dies. A child that the program forks itself, and that runs no other program,
 * counts as the parent here: where the parent is killed, its daemons live as long as that child.
 */
typedef enum mp_daemon {
    /* As the process that makes it. */
    MP_DAEMON_INHERIT = -1,
    /* No: at its normal end the parent waits for it. */
    MP_DAEMON_NO = 0,
    /* Yes. */
    MP_DAEMON_YES = 1,
} mp_daemon;

/* A child's process group, where it is no group's number. */
typedef enum mp_group {
    /* The parent's. */
    MP_GROUP_INHERIT = -1,
    /* One of its own, which has its number. */
    MP_GROUP_NEW = 0,
} mp_group;

/* Options of mp_process_new. What it points to is copied by mp_process_new. */
typedef struct mp_process_options {
    /* sizeof(mp_process_options). */
    size_t size;
    /* An mp_start_method; 0 for the default one at the start. */
    int start_method;
    /*
     * What it is called; NULL for Process-N, N being the number of the child in its parent, or
     * Process-P:N in a process whose own number is P.
     */
    const char *name;
    /* An mp_daemon; true and false will do. */
    int daemon;
    /* An mp_stream or a descriptor, which must be open at the start. */
    int stdin_fd;
    /* An mp_stream or a descriptor. */
    int stdout_fd;
    /* An mp_stream or a descriptor. */
    int stderr_fd;
    /*
     * The child's whole environment as "NAME=value", ended by NULL; NULL for the parent's as it
     * is at the start.
     */
    const char *const *environment;
    /* Its working directory; NULL for the parent's. */
    const char *directory;
    /* The numbers of the CPUs that it may run on; NULL for the parent's. */
    const size_t *cpus;
    /* How many there are. */
    size_t cpu_count;
    /* An mp_group, or the number of a group to join. */
    int process_group;
    /* The arguments stay with the object after the start, for mp_process_again. */
    bool keep_arguments;
    /* Instead of start_method; NULL for none. */
    const mp_context *context;
} mp_process_options;

/* The defaults: mp_process_options o = MP_PROCESS_OPTIONS; */
#define MP_PROCESS_OPTIONS { sizeof(mp_process_options), MP_START_DEFAULT, NULL,                  \
    MP_DAEMON_INHERIT, MP_STREAM_DEFAULT, MP_STREAM_DEFAULT, MP_STREAM_DEFAULT, NULL, NULL, NULL, \
    0, MP_GROUP_INHERIT, false, NULL }
/* The exit code of a child that somebody else reaped and that could not leave its own. */
#define MP_EXITCODE_UNKNOWN INT32_MIN

/*
 * MP_PROCESS_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_process_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_process_options_init(mp_process_options *options, size_t size);

/* MP_EXITCODE_UNKNOWN as a function. */
int mp_exitcode_unknown(void);

/*
 * Makes a process that is not started yet.
 *
 * process: where the handle goes.
 * target: what the child runs; NULL for a child that does nothing and exits with 0.
 * user: handed to target. The child has a copy of the parent's memory, as it was at the start.
 * options: NULL for the defaults.
 *
 * MP_ERR_INVALID: a member of options is out of its range, an environment string has no '=', a
 *     CPU's number is over 65,535, or there are a context and a start method.
 * MP_ERR_BAD_HANDLE: the context is none.
 */
mp_status mp_process_new(mp_process **process,
                         mp_process_fn target,
                         void *user,
                         const mp_process_options *options);

/*
 * Adds bytes to the child's arguments, which count from 0. They are copied now.
 *
 * data: may be NULL where len is 0. len: bytes.
 *
 * MP_ERR_INVALID: the process has 65,536 arguments already, or they would be more than a GiB
 *     in all.
 * MP_ERR_NO_MEMORY: there is no memory for the copy.
 * MP_ERR_STATE: the process was started, or belongs to another process.
 */
mp_status mp_process_add_bytes(mp_process *process, const void *data, size_t len);

/*
 * Adds a handle to the child's arguments: anything that there is an mp_child_<noun> for. The
 * child holds the object itself; the caller may free its handle at once. A connection or a
 * listener costs a descriptor until the child has it, and where keep_arguments is set until the
 * process is freed.
 *
 * MP_ERR_UNSUPPORTED: a handle of this type cannot be handed to another process.
 * MP_ERR_INVALID: the process has 65,536 arguments already.
 * MP_ERR_NO_MEMORY: there is no room to write down who holds it.
 * MP_ERR_STATE: the process was started, or belongs to another process; or a connection is in
 *     the middle of a message.
 * MP_ERR_CLOSED: the connection or the listener was closed.
 * MP_ERR_OS: no descriptor is free.
 */
mp_status mp_process_add_handle(mp_process *process, const void *handle);

/*
 * Starts the child, by the start method of its options. stdout and stderr are flushed before,
 * and in a program with one thread every stream, so that nothing in their buffers is written
 * twice. The child runs the target and leaves without the parent's atexit handlers. By spawn
 * the call returns when the child has found its target.
 *
 * MP_ERR_STATE: it was started before, or belongs to another process.
 * MP_ERR_OS: no process or descriptor is to be had, the executable cannot run, or the child
 *     cannot have the streams, the directory, the CPUs or the group of the options; nothing was
 *     started, and it may be tried again.
 * MP_ERR_NO_MEMORY: the segment has no room for a process more, or for its arguments. By spawn
 *     also:
 * MP_ERR_NOT_INITIALIZED: main does not begin with mp_bootstrap, or the child ended before it
 *     did.
 * MP_ERR_UNKNOWN_TARGET: the target lies in no module, or the child does not have it.
 * MP_ERR_UNSUPPORTED: user is not NULL, or the child runs another build of libmp.
 *
 * Threads: as with any fork, a forked child has only the calling thread, and must not need a
 * lock that another one held.
 * Kill: a child that is killed gives back what it held; so does the parent, and the child runs
 * on, unless it was not up yet.
 */
mp_status mp_process_start(mp_process *process);

/*
 * Waits until the child has ended, however it did. May be called again.
 *
 * timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: it still runs.
 * MP_ERR_STATE: it was not started, or belongs to another process; so nobody joins itself.
 *
 * Threads: any number may join.
 */
mp_status mp_process_join(mp_process *process, mp_timeout timeout);

/*
 * How the child ended: its exit code, or -N where signal N killed it. MP_EXITCODE_UNKNOWN
 * where the host program reaped it and it could not leave its code behind.
 *
 * code: where it goes.
 *
 * MP_ERR_STATE: it was not started, still runs, or belongs to another process.
 */
mp_status mp_process_exitcode(const mp_process *process, int *code);

/*
 * The child's process id, also after its end.
 *
 * pid: where it goes.
 *
 * MP_ERR_STATE: it was not started, or belongs to another process.
 */
mp_status mp_process_pid(const mp_process *process, int *pid);

/*
 * Whether the child runs: from the moment mp_process_start returns until it ends.
 *
 * alive: where the answer goes.
 *
 * MP_ERR_STATE: it belongs to another process.
 */
mp_status mp_process_is_alive(const mp_process *process, bool *alive);

/*
 * Frees the handle of a process that was not started or has ended. NULL is fine. Of several
 * handles for one process all but the last may be freed while it runs.
 *
 * MP_ERR_STATE: it still runs: join it first; it is the calling process or its parent; or it
 *     belongs to another process.
 */
mp_status mp_process_free(mp_process *process);

/* ---- control ------------------------------------------------------------------------------------
 *
 * Processes: names, signals, results. What can be asked of a process, and done to it.
 */

/*
 * What the process is called. NULL with mp_last_error() for a bad handle. The text is good as
 * long as the handle, also when the name is changed. Names need not be unique.
 *
 * MP_ERR_STATE: the handle is a parent's.
 */
const char *mp_process_name(const mp_process *process);

/*
 * Changes the name, at any time. A child that was started already does not learn of it.
 *
 * name: copied.
 *
 * MP_ERR_INVALID: name is NULL.
 * MP_ERR_STATE: the process is the caller's parent, or belongs to another process.
 */
mp_status mp_process_set_name(mp_process *process, const char *name);

/*
 * Whether the process is a daemon: see mp_daemon.
 *
 * daemon: where the answer goes.
 *
 * MP_ERR_STATE: it belongs to another process.
 */
mp_status mp_process_daemon(const mp_process *process, bool *daemon);

/*
 * Makes the process a daemon, or not, before its start.
 *
 * MP_ERR_STATE: it was started, is no child of the caller's, or belongs to another process.
 */
mp_status mp_process_set_daemon(mp_process *process, bool daemon);

/*
 * A descriptor for poll, select and epoll that is readable from the process's end on. It is the
 * library's: do not read from it, and do not close it. It is good until mp_process_free.
 *
 * fd: where the number goes.
 *
 * MP_ERR_STATE: the process was not started, had ended before the first call, is the caller
 *     itself, or belongs to another process; or the host program has closed the descriptor.
 *
 * Fork: a forked child has no use for it.
 */
mp_status mp_process_sentinel(mp_process *process, int *fd);

/*
 * Sends the child SIGTERM, and does not wait. Its own children stay, but daemons die with it.
 * Locks that it holds go on to the next who wants them; what it has printed and not flushed is
 * lost. Nothing happens if it has ended.
 *
 * MP_ERR_STATE: it was not started, is no child of the caller's, or belongs to another process.
 * MP_ERR_OS: the caller may not signal it, because it runs as another user now.
 */
mp_status mp_process_terminate(mp_process *process);

/*
 * Sends the child SIGKILL, which it can neither catch nor ignore. Otherwise as
 * mp_process_terminate.
 */
mp_status mp_process_kill(mp_process *process);

/* Sends the child SIGINT, as Ctrl-C does. Otherwise as mp_process_terminate. */
mp_status mp_process_interrupt(mp_process *process);

/*
 * Sends the child any signal. Otherwise as mp_process_terminate.
 *
 * signal_number: from 1 to 64.
 *
 * MP_ERR_INVALID: it is not.
 */
mp_status mp_process_signal(mp_process *process, int signal_number);

/*
 * What the child has left by mp_child_return, in a new buffer at each call; or, of a process
 * that was not started, what its last run in place has.
 *
 * result: where the buffer goes.
 *
 * MP_ERR_STATE: it has not ended, or not run, is no child of the caller's, or belongs to another
 *     process.
 * MP_ERR_EMPTY: it has left nothing.
 * MP_ERR_NO_MEMORY: there is no memory for the buffer.
 *
 * Kill: what a child left before it was killed is there.
 */
mp_status mp_process_result(mp_process *process, mp_buffer **result);

/*
 * Runs the target here and now, in the calling thread, with copies of the arguments. The process
 * stays as it is, and can still be started.
 *
 * code: what the target returned goes here; may be NULL.
 *
 * MP_ERR_STATE: it was started, is no child of the caller's, or belongs to another process.
 * MP_ERR_NO_MEMORY: there is no memory for the arguments.
 */
mp_status mp_process_run(mp_process *process, int *code);

/*
 * Makes one more process with the same target, options and arguments, which is not started. It
 * gets a new name if this one has its by itself.
 *
 * again: where the handle goes.
 *
 * MP_ERR_STATE: this one was started, and its options did not say keep_arguments; it is no child
 *     of the caller's, or belongs to another process.
 * MP_ERR_NO_MEMORY: there is no memory for the arguments.
 */
mp_status mp_process_again(const mp_process *process, mp_process **again);

/*
 * The process in one line: `<Process name='Process-1' pid=16853 parent=16849 started>`. The
 * states are initial, started, and stopped with the exit code, by the signal's name where one
 * killed it; a daemon says so. A parent's state is unknown.
 *
 * text: where it goes, ended by a zero; may be NULL where size is 0. size: bytes.
 * needed: the bytes that it takes, the zero included, go here also where they do not fit; may be
 *     NULL.
 *
 * MP_ERR_TOO_SMALL: size is less than that; nothing was written to text.
 * MP_ERR_STATE: it belongs to another process.
 */
mp_status mp_process_describe(const mp_process *process, char *text, size_t size, size_t *needed);

/* ---- family -------------------------------------------------------------------------------------
 *
 * The tree: the process itself, its parent, its children, and what runs at a process's end.
 */

/* What runs at a moment of a process's life. An exception must not leave it. */
typedef void (*mp_hook_fn)(void *user);

/*
 * The calling process: the same handle at each call. It has a name, a number and a description,
 * is alive, and can neither be started nor joined. mp_process_free answers MP_ERR_STATE. NULL
 * with mp_last_error() where the process cannot use libmp.
 *
 * Fork: a forked child has a handle of its own.
 */
mp_process *mp_current_process(void);

/*
 * The process that started the calling one, by libmp: the same handle at each call. It has a
 * name, a number and a description; mp_process_is_alive, mp_process_join and
 * mp_process_sentinel tell of its end; mp_process_free answers MP_ERR_STATE. NULL in a main
 * process, one that libmp has not started.
 */
mp_process *mp_parent_process(void);

/* Whether the calling process is a main process: one that libmp has not started. */
bool mp_is_main_process(void);

/*
 * The children that were started and have not ended. Those that have are reaped by this call;
 * their handles still tell their exit codes.
 *
 * children: handles go here, as many as fit, in no order; to be freed like others, which may be
 *     done while they run. NULL where capacity is 0.
 * capacity: how many fit.
 * count: how many children there are goes here; may be NULL.
 *
 * MP_ERR_TOO_SMALL: there are more than fit; no handle was made.
 * MP_ERR_INVALID: children is NULL, and capacity is not 0.
 */
mp_status mp_active_children(mp_process **children, size_t capacity, size_t *count);

/*
 * Has a function called at the normal end of this process: once, and only in this process. A
 * child that libmp started ends when its target returns or by mp_exit; another process when
 * main returns or by exit. Functions with a priority of 0 and more run first; then daemons are
 * terminated, and the other children joined; then the rest run. The highest priority runs first,
 * and of those the latest.
 *
 * user: handed to function.
 *
 * MP_ERR_INVALID: function is NULL.
 *
 * Fork: a child does not have its parent's. Kill: a process that is killed, or calls _exit, runs
 * none.
 */
mp_status mp_at_exit(mp_hook_fn function, void *user, int priority);

/*
 * Has a function called in every child that this process, or one of its children in turn, starts
 * by fork, before the target. In the order in which they were given.
 *
 * user: handed to function.
 *
 * MP_ERR_INVALID: function is NULL.
 *
 * Fork: a child that the program forks itself does not run it.
 */
mp_status mp_after_fork(mp_hook_fn function, void *user);

/*
 * Ends the process from wherever it is called. A child that libmp started flushes its streams,
 * runs what mp_at_exit was given, ends its daemons and joins its other children, as it does when
 * its target returns; nothing is unwound, and the parent's atexit functions do not run. Another
 * process calls exit.
 *
 * code: the exit code, of which the system keeps the low 8 bits.
 */
void mp_exit(int code);

/*
 * The key by which connections and managers of this program prove themselves: 32 random bytes,
 * unless mp_set_authkey was called. Children have their parent's.
 *
 * key: where it goes. size: bytes of room.
 * len: how long it is goes here; may be NULL.
 *
 * MP_ERR_TOO_SMALL: it is longer than size; nothing was written to key.
 * MP_ERR_INVALID: key is NULL, and size is not 0.
 */
mp_status mp_get_authkey(void *key, size_t size, size_t *len);

/*
 * Sets the key of this process and of the children that it will start.
 *
 * key: copied. len: from 1 to 65,536 bytes.
 *
 * MP_ERR_INVALID: it has no such length.
 */
mp_status mp_set_authkey(const void *key, size_t len);

/* ---- child --------------------------------------------------------------------------------------
 *
 * In the child: the arguments that the parent added, by their index.
 */

/* How many arguments there are; 0 with mp_last_error() for a bad handle. */
size_t mp_child_count(const mp_child *child);

/*
 * An argument's bytes, good while the child lives; NULL with mp_last_error() where there is no
 * such argument or it is a handle. The address of empty bytes is not NULL and must not be
 * followed. They are aligned for any type.
 *
 * index: from 0.
 * len: the number of bytes goes here; may be NULL.
 */
const void *mp_child_bytes(mp_child *child, size_t index, size_t *len);

/*
 * Leaves bytes for the parent, which has them from mp_process_result. Those of an earlier call
 * are given up.
 *
 * data: may be NULL where len is 0; copied. len: bytes.
 *
 * MP_ERR_NO_MEMORY: the shared segment has no room for them; those of an earlier call stay.
 *
 * Kill: what was left before the child was killed is there.
 */
mp_status mp_child_return(mp_child *child, const void *data, size_t len);

/*
 * An argument that is a lock: this process's own handle, the same at each call, which need not
 * be freed. NULL with mp_last_error() where there is no such argument or it is something else.
 *
 * index: from 0.
 */
mp_lock *mp_child_lock(mp_child *child, size_t index);

/* An argument that is an RLock, as mp_child_lock. */
mp_rlock *mp_child_rlock(mp_child *child, size_t index);

/* An argument that is a semaphore, as mp_child_lock. */
mp_semaphore *mp_child_semaphore(mp_child *child, size_t index);

/* An argument that is a value, as mp_child_lock. */
mp_value *mp_child_value(mp_child *child, size_t index);

/* An argument that is an array, as mp_child_lock. */
mp_array *mp_child_array(mp_child *child, size_t index);

/* An argument that is shared memory, as mp_child_lock. */
mp_shared_memory *mp_child_shared_memory(mp_child *child, size_t index);

/* An argument that is a shareable list, as mp_child_lock. */
mp_shareable_list *mp_child_shareable_list(mp_child *child, size_t index);

/* An argument that is a queue, as mp_child_lock. */
mp_queue *mp_child_queue(mp_child *child, size_t index);

/* An argument that is a priority queue, as mp_child_lock. */
mp_priority_queue *mp_child_priority_queue(mp_child *child, size_t index);

/*
 * An argument that is a connection, as mp_child_lock. To free or close it is to close the
 * child's end.
 */
mp_connection *mp_child_connection(mp_child *child, size_t index);

/*
 * An argument that is a listener, as mp_child_lock. It is the same as the parent's: each client
 * goes to one of those who accept. The socket's file stays the parent's.
 */
mp_listener *mp_child_listener(mp_child *child, size_t index);

/*
 * An argument that is a proxy, as mp_child_lock. The first call for it asks the manager's server.
 * NULL also where that cannot be reached.
 */
mp_proxy *mp_child_proxy(mp_child *child, size_t index);

/* An argument that is an event, as mp_child_lock. */
mp_event *mp_child_event(mp_child *child, size_t index);

/* An argument that is a barrier, as mp_child_lock. */
mp_barrier *mp_child_barrier(mp_child *child, size_t index);

/* An argument that is a condition, as mp_child_lock. */
mp_condition *mp_child_condition(mp_child *child, size_t index);

/* ---- pool ---------------------------------------------------------------------------------------
 *
 * Pools: worker processes that take tasks until the pool is freed. A worker that dies fails
 * what it was running, and only that; another takes its place. Only the process that made a
 * pool may use it.
 */

/* A pool. */
typedef struct mp_pool mp_pool;

/*
 * One item of a map, in the worker that works on it. Good in all threads of the worker until the
 * task's function returns. A thread that uses it later is answered MP_ERR_STATE, and harms no
 * other item.
 */
typedef struct mp_task mp_task;

/*
 * What a worker runs for each item. user is handed over as the number that it is: it points
 * into the worker's copy of the owner's memory, as that was when the pool was made. An
 * exception must not leave the function.
 */
typedef void (*mp_task_fn)(mp_task *task, void *user);

/* Options of mp_pool_new. */
typedef struct mp_pool_options {
    /* sizeof(mp_pool_options). */
    size_t size;
    /* How many workers, 4096 at most; 0 for mp_cpu_count(). */
    size_t workers;
    /* An mp_start_method; 0 for the default one. */
    int start_method;
    /* Instead of start_method; NULL for none. */
    const mp_context *context;
    /*
     * Runs in each worker before its first task: its mp_task_input is initializer_data, its
     * mp_task_index the worker's number in the pool, from 0. NULL for none. One that calls
     * mp_task_fail breaks the pool: every call answers with its sentence, and no more workers are
     * started.
     */
    mp_task_fn initializer;
    /* Handed to it, see mp_task_fn. */
    void *initializer_user;
    /* May be NULL where initializer_len is 0; copied by mp_pool_new. */
    const void *initializer_data;
    /* Bytes. */
    size_t initializer_len;
    /*
     * After so many tasks a worker ends, and another takes its place; 0 for never. A task is
     * what is handed out as one: see chunk in mp_map_options.
     */
    size_t max_tasks;
    /*
     * The same for a worker that, since it was initialized, has grown by more than so many bytes
     * of memory of its own; 0 for never. It is looked at after each task.
     */
    size_t max_memory;
    /*
     * What the workers' names begin with, see mp_process_name; NULL for ForkPoolWorker,
     * SpawnPoolWorker or ForkServerPoolWorker. Copied.
     */
    const char *name;
    /*
     * A thread of the library's replaces workers that die while the pool has nothing to do; it
     * looks four times a second. Without it the next call does.
     */
    bool watch;
    /*
     * A file for a timeline, in the format of chrome://tracing and ui.perfetto.dev: each task a bar
     * on its worker's row, with the time that it waited, and what befell the workers. %p in the
     * name is the process's number; without it that is added in the children of a process that
     * writes one. NULL for what MP_TRACE in the environment says; "" for none. A file that cannot
     * be written is a warning in the log. Copied.
     */
    const char *trace;
    /*
     * The numbers of CPUs: worker i runs on the CPU cpus[i % cpu_count], and so does whoever comes
     * in its place. NULL for those of the pool's owner. Copied.
     */
    const size_t *cpus;
    /* How many there are. */
    size_t cpu_count;
    /*
     * What the workers write to stderr comes out of the program's stderr line by line, each line
     * whole and after the worker's name: "[baker-1] no flour". A thread of the library's sees to
     * that, which has written everything when mp_pool_free or mp_pool_join returns; so those wait
     * for whoever reads the program's stderr. Lines over 64 KiB come in pieces.
     */
    bool tag_stderr;
} mp_pool_options;

/* The defaults: mp_pool_options o = MP_POOL_OPTIONS; */
#define MP_POOL_OPTIONS { sizeof(mp_pool_options), 0, MP_START_DEFAULT, NULL, NULL, NULL, NULL, 0, \
    0, 0, NULL, false, NULL, NULL, 0, false }

/*
 * MP_POOL_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_pool_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_pool_options_init(mp_pool_options *options, size_t size);

/*
 * Starts the workers, by the start method of the options. By fork they have the program's
 * functions and a copy of its memory, as it is now; by spawn they are fresh runs of the
 * program, and find the functions by module or by registered name. Their stdin is /dev/null;
 * Ctrl-C at the terminal does not end them, and SIGTERM does.
 *
 * A worker that dies is replaced by the call that is running then, or by the next one. By fork,
 * who takes its place is forked from a zygote: a process with one thread that is forked together
 * with the first workers, runs nothing of the program's, takes no signals and ends with the pool.
 * So all workers have the program's memory, descriptors and directory as they were then; and the
 * program, which may have grown since and have threads, does not fork again. A zygote that is
 * killed is logged, and forked again when it is needed.
 *
 * A worker whose initializer fails breaks the pool, and so do five in a row that die in it.
 *
 * pool: where the handle goes. options: NULL for the defaults.
 *
 * MP_ERR_INVALID: more than 4096 workers, a context and a start method, no initializer_data of
 *     the length given, no cpus though cpu_count is not 0, or a CPU's number over 65,535.
 * MP_ERR_UNSUPPORTED: the workers are not forked, and initializer_user is not NULL.
 * MP_ERR_BAD_HANDLE: the context is none.
 * MP_ERR_NO_MEMORY: the shared segment has no room for the pool.
 * MP_ERR_NOT_INITIALIZED: by spawn, and main does not begin with mp_bootstrap.
 * MP_ERR_WORKER_DIED: a worker was killed before the pool was there.
 * MP_ERR_OS: no process or descriptor is to be had, or a worker cannot have its CPU; none is left
 *     over. Each worker takes two descriptors; by fork, one that took another's place takes
 *     three, and so does the zygote. With tag_stderr each takes one more.
 *
 * Kill: workers die with the process that made the pool, however it dies and whatever they are
 * doing. Only where a child that the program forked itself lives on does a busy worker finish
 * its task first.
 */
mp_status mp_pool_new(mp_pool **pool, const mp_pool_options *options);

/*
 * How many workers the pool has.
 *
 * workers: where the number goes.
 *
 * MP_ERR_STATE: the pool belongs to another process.
 */
mp_status mp_pool_workers(const mp_pool *pool, size_t *workers);

/*
 * The pool takes no more calls. Those that are on their way go on; when the last one is over the
 * workers leave. A pool that was closed already stays so.
 *
 * MP_ERR_STATE: the pool belongs to another process.
 */
mp_status mp_pool_close(mp_pool *pool);

/*
 * Ends the workers at once: idle ones leave by themselves, busy ones get SIGTERM, and half a
 * second later SIGKILL. They are gone when the call returns. What others wait for comes back as
 * MP_ERR_CANCELLED. A pool that was ended already stays so.
 *
 * MP_ERR_STATE: the pool belongs to another process.
 */
mp_status mp_pool_terminate(mp_pool *pool);

/*
 * Waits until all calls are over and the workers are gone.
 *
 * timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: they were not gone in time; they go all the same.
 * MP_ERR_STATE: the pool was neither closed nor terminated; or an mp_imap of it is neither at its
 *     end nor freed, without which this would wait for ever; or it belongs to another process.
 *
 * Kill: a worker that is killed meanwhile fails what it was running, and is replaced where there
 * is still something to do.
 */
mp_status mp_pool_join(mp_pool *pool, mp_timeout timeout);

/*
 * Closes the pool and waits until all calls are over and the workers are gone: how a pool that is
 * used as an executor comes to its end.
 *
 * cancel_pending: asynchronous calls of which no worker has begun anything come back as
 *     MP_ERR_CANCELLED. Without it they are done, too.
 * timeout: nanoseconds to wait.
 *
 * Returns what mp_pool_join returns; MP_ERR_TIMEOUT leaves the pool closed.
 */
mp_status mp_pool_shutdown(mp_pool *pool, bool cancel_pending, mp_timeout timeout);

#ifdef MP_SCOPE_
/* MP_WITH_POOL(pool) { ... } terminates and frees the pool on every way out of the braces, see
 * MP_WITH_LOCK. What was asked for and shall be done comes first: mp_pool_shutdown in them. A
 * pool that was closed before is passed over, and is still there. */
#define MP_WITH_POOL(pool) MP_SCOPE_(mp_pool, pool)
#endif

/*
 * The begin of MP_WITH_POOL. Answers the handle, or NULL with mp_last_error() where the pool takes
 * no calls, or is another process's.
 */
mp_pool *mp_pool_enter(mp_pool *pool);

/*
 * The end of MP_WITH_POOL: terminates and frees the pool, and sets the pointer to NULL.
 *
 * pool: points to the handle; nothing happens where either is NULL.
 */
void mp_pool_leave(mp_pool **pool);

/*
 * Terminates the pool, see mp_pool_terminate, and frees it. NULL is fine.
 *
 * MP_ERR_STATE: the pool belongs to another process.
 */
mp_status mp_pool_free(mp_pool *pool);

/* ---- pool_map -----------------------------------------------------------------------------------
 *
 * Maps: one function for many items, in the calling thread's time. Several arguments are one item:
 * a struct of them.
 */

/*
 * Told, in the calling thread, how many of the items are done: at least ten times a second
 * while a map runs, and once at its end, unless a failure ends it. Any result but 0 cancels the
 * map.
 */
typedef int (*mp_progress_fn)(size_t done, size_t total, void *user);

/* Options of mp_pool_map and of the other maps. */
typedef struct mp_map_options {
    /* sizeof(mp_map_options). */
    size_t size;
    /*
     * Items that make a task, handed out as one; 0: a quarter of each worker's share, or less
     * where that would be over a MiB; and 1 where run_all, retries or time_limit are set.
     */
    size_t chunk;
    /* Nanoseconds that the whole map may take. */
    mp_timeout timeout;
    /* After a failure the rest is done all the same. */
    bool run_all;
    /* May be NULL. */
    mp_progress_fn progress;
    /* Handed to progress. */
    void *progress_user;
    /* How often an item whose worker died is begun again before it has failed. */
    unsigned int retries;
    /*
     * Nanoseconds that a task may run, from its beginning; MP_FOREVER for no limit. Then its
     * function is asked to stop, see mp_task_cancelled; its worker gets SIGTERM when grace is
     * over, and SIGKILL when it is over again. The item that it was running fails with
     * MP_ERR_TIMEOUT. It may be noticed a twentieth of a second late.
     */
    mp_timeout time_limit;
    /* Nanoseconds. */
    mp_timeout grace;
    /*
     * A place for each item's status; NULL: nobody asks. An item that was not done, because a
     * failure ended the map before, has MP_ERR_CANCELLED.
     */
    mp_status *statuses;
} mp_map_options;

/* Options of mp_pool_apply and mp_pool_apply_async. */
typedef struct mp_apply_options {
    /* sizeof(mp_apply_options). */
    size_t size;
    /* Nanoseconds that the caller waits. */
    mp_timeout timeout;
    /* How often it is begun again if its worker dies. */
    unsigned int retries;
    /* As in mp_map_options. */
    mp_timeout time_limit;
    /* As in mp_map_options. */
    mp_timeout grace;
} mp_apply_options;

/* The defaults: mp_map_options o = MP_MAP_OPTIONS; mp_apply_options a = MP_APPLY_OPTIONS; */
#define MP_MAP_OPTIONS { sizeof(mp_map_options), 0, MP_FOREVER, false, NULL, NULL, 0, MP_FOREVER, \
    MP_MS(100), NULL }
#define MP_APPLY_OPTIONS { sizeof(mp_apply_options), MP_FOREVER, 0, MP_FOREVER, MP_MS(100) }

/*
 * MP_MAP_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_map_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_map_options_init(mp_map_options *options, size_t size);

/*
 * MP_APPLY_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_apply_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_apply_options_init(mp_apply_options *options, size_t size);

/*
 * Runs a function on each of n items that lie side by side, in the workers, and puts the n
 * results side by side in the same order. The function gets its item with mp_task_input and
 * gives its result with mp_task_return; the result of an item that gives none is all zeros.
 *
 * function: not NULL. user: handed to it, see mp_task_fn.
 * in: n items of in_size bytes each; may be NULL where those are 0 bytes in all.
 * out: room for n results of out_size bytes each; may be NULL where those are 0 bytes in all.
 *     After a failure it holds the results that had come in, and the rest is as before.
 * options: NULL for the defaults.
 *
 * The first failure ends the map as soon as it is known, and what no worker has begun is
 * cancelled; with run_all it is told at the end:
 * MP_ERR_TASK_FAILED: a function called mp_task_fail; its sentence is in mp_last_error().
 * MP_ERR_WORKER_DIED: a worker died; mp_last_error() says how and with which items.
 * MP_ERR_UNKNOWN_TARGET: the workers do not have the function.
 * MP_ERR_TIMEOUT: a task ran for longer than time_limit; mp_last_error() names it.
 *
 * And these end it as a whole:
 * MP_ERR_UNSUPPORTED: the workers are not forked, and user is not NULL, or this is the 257th
 *     function.
 * MP_ERR_TIMEOUT: the map's timeout is over. What runs is left to run, and its results are lost.
 * MP_ERR_CANCELLED: progress asked for it, or another thread ended the pool.
 * MP_ERR_INVALID: function is NULL, or the sizes overflow.
 * MP_ERR_NO_MEMORY: the shared segment has no room for a single task.
 * MP_ERR_STATE: the pool was closed or ended, or belongs to another process.
 * What the initializer came to: see mp_pool_options.
 *
 * Threads: several may map on one pool; they share its workers.
 */
mp_status mp_pool_map_array(mp_pool *pool,
                            mp_task_fn function,
                            void *user,
                            const void *in,
                            size_t in_size,
                            size_t n,
                            void *out,
                            size_t out_size,
                            const mp_map_options *options);

/*
 * Runs a function on each of n byte strings, in the workers; each result is a byte string as
 * well, which may have any length. The function gets its item with mp_task_input and gives its
 * result with mp_task_return; the result of an item that gives none is empty.
 *
 * function: not NULL. user: handed to it, see mp_task_fn.
 * in: n items; may be NULL where n is 0.
 * out: n places for handles, each to be freed with mp_buffer_free; may be NULL where n is 0.
 *     NULL goes where no result had come in when a failure ended the map.
 * options: NULL for the defaults.
 *
 * Returns what mp_pool_map_array returns; MP_ERR_NO_MEMORY also where there is none for a
 * result.
 *
 * Threads: several may map on one pool; they share its workers.
 */
mp_status mp_pool_map(mp_pool *pool,
                      mp_task_fn function,
                      void *user,
                      const mp_bytes *in,
                      size_t n,
                      mp_buffer **out,
                      const mp_map_options *options);

/*
 * Runs a function once, in one worker, and waits for its result.
 *
 * function: not NULL. user: handed to it, see mp_task_fn.
 * data: its mp_task_input; may be NULL where len is 0. len: bytes.
 * result: where the handle of what it returned goes, to be freed with mp_buffer_free; NULL: it is
 *     not wanted.
 * options: NULL for the defaults.
 *
 * Returns what mp_pool_map returns for one item.
 *
 * Threads: several may call; they share the pool's workers.
 */
mp_status mp_pool_apply(mp_pool *pool,
                        mp_task_fn function,
                        void *user,
                        const void *data,
                        size_t len,
                        mp_buffer **result,
                        const mp_apply_options *options);

/* ---- imap ---------------------------------------------------------------------------------------
 *
 * imap: items are taken from a source, one result at a time is taken from the iterator, and no
 * more items than a window holds are on their way meanwhile.
 */

/* An iterator over the results of a function. */
typedef struct mp_imap mp_imap;

/*
 * Gives the next item: 1 and item is set; 0: there are no more. A negative number is an error:
 * it comes out of the iterator at this item's place, and the source is not asked again. item's
 * bytes are copied when the source returns.
 */
typedef int (*mp_source_fn)(mp_bytes *item, void *user);

/* Options of mp_pool_imap. */
typedef struct mp_imap_options {
    /* sizeof(mp_imap_options). */
    size_t size;
    /*
     * Items that make a task, which goes out when the source has given all of them; 0 is 1. More
     * are faster where the function is quick. Where the window is smaller, that is a task.
     */
    size_t chunk;
    /*
     * How many items may have come from the source whose results were not taken; 0: 16 tasks for
     * each worker.
     */
    size_t window;
    /*
     * Results come as they are ready, and not in the items' order. With one worker it is the same.
     */
    bool unordered;
    /* As in mp_map_options. */
    unsigned int retries;
    /* As in mp_map_options. */
    mp_timeout time_limit;
    /* As in mp_map_options. */
    mp_timeout grace;
} mp_imap_options;

/* The defaults: mp_imap_options o = MP_IMAP_OPTIONS; */
#define MP_IMAP_OPTIONS { sizeof(mp_imap_options), 0, 0, false, 0, MP_FOREVER, MP_MS(100) }

/*
 * MP_IMAP_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_imap_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_imap_options_init(mp_imap_options *options, size_t size);

/*
 * Makes an iterator over the results of a function for the items of a source. Nothing is asked
 * of the source before the first mp_imap_next. The source and whatever else has to be done here
 * run in the thread that calls mp_imap_next, and only then: where nobody takes results, no more
 * items are handed out.
 *
 * function: not NULL. user: handed to it, see mp_task_fn.
 * source: not NULL. source_user: handed to it.
 * options: NULL for the defaults.
 * imap: where the handle goes, to be freed with mp_imap_free.
 *
 * MP_ERR_INVALID: function, source or imap is NULL.
 * MP_ERR_UNSUPPORTED: the workers are not forked, and user is not NULL, or this is the 257th
 *     function.
 * MP_ERR_STATE: the pool was closed or ended, or belongs to another process.
 * What the initializer came to: see mp_pool_options.
 */
mp_status mp_pool_imap(mp_pool *pool,
                       mp_task_fn function,
                       void *user,
                       mp_source_fn source,
                       void *source_user,
                       const mp_imap_options *options,
                       mp_imap **imap);

/*
 * Takes the next result.
 *
 * timeout: nanoseconds to wait for it, not counting what the source takes.
 * result: where the handle of the result goes, to be freed with mp_buffer_free. It gets NULL
 *     where there is none.
 * index: the item's place in the source, from 0, goes here, also where the item failed; may be
 *     NULL.
 *
 * MP_ERR_EOF: all results were taken. So it is from then on.
 * MP_ERR_TIMEOUT: nothing came in time, and the next call may get it; or this item ran for longer
 *     than time_limit, as mp_last_error() says then.
 * MP_ERR_TASK_FAILED, MP_ERR_WORKER_DIED, MP_ERR_UNKNOWN_TARGET: this item failed, as in
 *     mp_pool_map; the ones after it come all the same. So it is with MP_ERR_NO_MEMORY where
 *     mp_last_error() names an item.
 * MP_ERR_INVALID: result is NULL; or the source has given NULL for bytes, which ends it.
 * MP_ERR_CANCELLED: the pool was ended.
 * MP_ERR_NO_MEMORY: the shared segment has no room for a single task; or there is no handle for
 *     the result, and the next call may get it.
 * MP_ERR_STATE: another thread is in a call with the same iterator, or the source calls it; or it
 *     belongs to another process.
 */
mp_status mp_imap_next(mp_imap *imap, mp_timeout timeout, mp_buffer **result, size_t *index);

/*
 * Frees an iterator. Items that no worker has begun are taken back; what runs is left to run, and
 * its results are lost. NULL is fine.
 */
mp_status mp_imap_free(mp_imap *imap);

/* ---- result -------------------------------------------------------------------------------------
 *
 * What an asynchronous call comes to. A result belongs to the process that began the call.
 *
 * A pool is an executor, too, and a result is its future:
 *
 *   max_workers, initializer                workers, initializer in mp_pool_options
 *   max_tasks_per_child                     max_tasks in mp_pool_options
 *   submit(f, x)                            mp_pool_apply_async
 *   map(f, xs, timeout, chunksize)          mp_pool_map, mp_pool_imap, mp_pool_map_async
 *   shutdown(wait, cancel_futures)          mp_pool_shutdown; MP_NO_WAIT for no wait
 *   terminate_workers, kill_workers         mp_pool_terminate
 *   result(timeout), exception(timeout)     mp_result_get; mp_last_error()
 *   running, done, cancelled                mp_result_state
 *   cancel                                  mp_result_cancel, which also stops what runs
 *   add_done_callback                       done and failed in mp_async_options
 *   wait(futures, timeout, return_when)     mp_result_wait_many; mp_wait
 *   as_completed(futures, timeout)          mp_result_next
 *
 * No worker's death breaks an executor: it fails what the worker ran. A failing initializer does.
 */

/* What an asynchronous call comes to. */
typedef struct mp_result mp_result;

/* For what of several results to wait. */
typedef enum mp_wait_for {
    /* All of them are ready. */
    MP_WAIT_ALL = 0,
    /* One of them is. */
    MP_WAIT_FIRST = 1,
    /* One of them has failed, or all are ready. */
    MP_WAIT_FIRST_ERROR = 2,
} mp_wait_for;

/* How far a call is. */
typedef enum mp_call_state {
    /* No worker has begun anything of it. */
    MP_CALL_PENDING = 0,
    /* A worker has. */
    MP_CALL_RUNNING = 1,
    /* It is over, and all is well. */
    MP_CALL_DONE = 2,
    /* It is over, and failed. */
    MP_CALL_FAILED = 3,
    /* It is over: it was cancelled, or the pool was ended. */
    MP_CALL_CANCELLED = 4,
} mp_call_state;

/*
 * Waits for a result and gives it, as often as it is asked for.
 *
 * timeout: nanoseconds; the call goes on all the same.
 * value: where the handle of a copy goes, to be freed with mp_buffer_free: what the function
 *     returned, or for mp_pool_map_array_async all results side by side. NULL: not wanted. NULL
 *     goes there where the call failed; but with run_all the results of mp_pool_map_array_async
 *     go there also then, those of the items that failed all zeros.
 *
 * MP_ERR_TIMEOUT: it is not ready; or the call's own time was over, or a task ran for longer than
 *     time_limit, as mp_result_ready and mp_last_error() tell.
 * MP_ERR_TASK_FAILED, MP_ERR_WORKER_DIED, MP_ERR_UNKNOWN_TARGET: the call failed, as in
 *     mp_pool_map; mp_last_error() has the worker's sentence.
 * MP_ERR_CANCELLED: it was cancelled, or the pool was ended.
 * MP_ERR_NO_MEMORY: there was none for a task or its result, or is none for the copy.
 * MP_ERR_INVALID: it is of mp_pool_map_async: see mp_result_get_each.
 * What the initializer came to: see mp_pool_options.
 *
 * Threads: any, at the same time.
 */
mp_status mp_result_get(const mp_result *result, mp_timeout timeout, mp_buffer **value);

/*
 * The same for a map over byte strings: waits for its results and gives all of them.
 *
 * timeout: nanoseconds; the call goes on all the same.
 * out: n places for handles of copies, each to be freed with mp_buffer_free. NULL goes where no
 *     result had come in when the call failed. May be NULL where n is 0.
 * n: how many items there are.
 *
 * MP_ERR_INVALID: it has not n results, or is of mp_pool_map_array_async; or out is NULL.
 * The rest as mp_result_get.
 */
mp_status mp_result_get_each(const mp_result *result,
                             mp_timeout timeout,
                             mp_buffer **out,
                             size_t n);

/*
 * Waits until a result is ready, whatever it is.
 *
 * timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: it is not ready.
 */
mp_status mp_result_wait(const mp_result *result, mp_timeout timeout);

/*
 * Whether a result is ready: mp_result_get does not wait for it.
 *
 * ready: where the answer goes.
 */
mp_status mp_result_ready(const mp_result *result, bool *ready);

/*
 * How far the call is, at this moment.
 *
 * state: where an mp_call_state goes.
 *
 * MP_ERR_INVALID: state is NULL.
 */
mp_status mp_result_state(const mp_result *result, int *state);

/*
 * Whether the call came to a good end.
 *
 * successful: where the answer goes.
 *
 * MP_ERR_STATE: it is not ready.
 */
mp_status mp_result_successful(const mp_result *result, bool *successful);

/*
 * Waits for a result and tells what each item came to, whatever that is.
 *
 * timeout: nanoseconds; the call goes on all the same.
 * statuses: n places. What mp_pool_map has in its statuses goes there: an item that was not done
 *     has MP_ERR_CANCELLED. May be NULL where n is 0.
 * n: how many items there are; 1 for mp_pool_apply_async.
 *
 * MP_ERR_TIMEOUT: it is not ready.
 * MP_ERR_INVALID: it has not n items, or statuses is NULL.
 *
 * Threads: any, at the same time.
 */
mp_status mp_result_statuses(const mp_result *result,
                             mp_timeout timeout,
                             mp_status *statuses,
                             size_t n);

/*
 * How far the call is.
 *
 * done: how many items came back, with a result or without; may be NULL.
 * total: how many there are; may be NULL.
 */
mp_status mp_result_progress(const mp_result *result, size_t *done, size_t *total);

/*
 * Cancels a call: its result is MP_ERR_CANCELLED. What no worker has begun is never begun. A
 * function that runs is asked to stop, see mp_task_cancelled; its worker gets SIGTERM when grace
 * is over, and SIGKILL when it is over again, and is replaced. The call does not wait for that,
 * the result does.
 *
 * grace: nanoseconds.
 *
 * MP_ERR_STATE: too late, it is over; or it belongs to another process.
 */
mp_status mp_result_cancel(mp_result *result, mp_timeout grace);

/* Frees a result, ready or not: the call goes on. NULL is fine. */
mp_status mp_result_free(mp_result *result);

/*
 * Waits for several results, of one pool or of many.
 *
 * results: n handles; NULL among them counts for nothing. n: may be 0.
 * what: an mp_wait_for. timeout: nanoseconds.
 *
 * MP_ERR_TIMEOUT: the time is over.
 * MP_ERR_INVALID: results is NULL and n is not 0, or what is no mp_wait_for.
 * MP_ERR_BAD_HANDLE: one of them is neither NULL nor a result.
 * MP_ERR_NO_MEMORY: there is none to wait for so many.
 */
mp_status mp_result_wait_many(mp_result *const *results, size_t n, int what, mp_timeout timeout);

/*
 * Waits until one of several results is ready, and tells which was so first. To take all of them
 * as they come, put NULL in its place and ask again.
 *
 * results: n handles; NULL among them counts for nothing. n: may be 0.
 * timeout: nanoseconds. index: where its place goes.
 *
 * MP_ERR_EOF: all of them are NULL.
 * MP_ERR_TIMEOUT: none is ready.
 * MP_ERR_INVALID: index is NULL, or results is and n is not 0.
 * MP_ERR_BAD_HANDLE: one of them is neither NULL nor a result.
 * MP_ERR_NO_MEMORY: there is none to wait for so many.
 */
mp_status mp_result_next(mp_result *const *results, size_t n, mp_timeout timeout, size_t *index);

/* ---- pool_async ---------------------------------------------------------------------------------
 *
 * Calls that nobody waits for: a thread of the library's hands out their items and takes what
 * comes back. It comes into being with the first such call of a pool, has all signals blocked, and
 * ends with the pool.
 */

/*
 * Told that a call is over, by the pool's thread, before anybody else knows. All the pool's
 * asynchronous calls wait until it returns. result: a handle of its own, good until the function
 * returns, from which mp_result_get takes what there is without waiting. It may begin calls, but
 * not wait for them. An exception must not leave the function.
 */
typedef void (*mp_result_fn)(mp_result *result, void *user);

/* What an asynchronous call has beside the options of one that waits. */
typedef struct mp_async_options {
    /* sizeof(mp_async_options). */
    size_t size;
    /* Told that the call is over and all is well; NULL for nobody. */
    mp_result_fn done;
    /* Told that the call is over and failed; NULL for nobody. */
    mp_result_fn failed;
    /* Handed to them. */
    void *user;
    /*
     * Of the asynchronous calls that wait for a worker the one with the highest goes first, and
     * of those with the same the one that came first. What lies ahead of a worker already, two
     * tasks or more where they are short, is not overtaken.
     */
    int priority;
} mp_async_options;

/* The defaults: mp_async_options o = MP_ASYNC_OPTIONS; */
#define MP_ASYNC_OPTIONS { sizeof(mp_async_options), NULL, NULL, NULL, 0 }

/*
 * MP_ASYNC_OPTIONS as a function.
 *
 * options: where the defaults go; not NULL. size: sizeof(mp_async_options).
 *
 * MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
 */
mp_status mp_async_options_init(mp_async_options *options, size_t size);

/*
 * Has a function called once, in one worker.
 *
 * function: not NULL. user: handed to it, see mp_task_fn.
 * data: its mp_task_input; may be NULL where len is 0. len: bytes.
 * apply: how it shall run; NULL for the defaults. Its timeout counts from now: then the result is
 *     MP_ERR_TIMEOUT, and what runs is stopped, as with time_limit.
 * options: NULL for the defaults.
 * result: where the handle goes, to be freed with mp_result_free; NULL: nobody asks for it, and
 *     done and failed are told all the same.
 *
 * MP_ERR_INVALID: function is NULL.
 * MP_ERR_UNSUPPORTED: the workers are not forked, and user is not NULL, or this is the 257th
 *     function.
 * MP_ERR_NO_MEMORY: there is none for the copy.
 * MP_ERR_OS: no thread is to be had.
 * MP_ERR_STATE: the pool was closed or ended, or belongs to another process.
 * What the initializer came to: see mp_pool_options.
 */
mp_status mp_pool_apply_async(mp_pool *pool,
                              mp_task_fn function,
                              void *user,
                              const void *data,
                              size_t len,
                              const mp_apply_options *apply,
                              const mp_async_options *options,
                              mp_result **result);

/*
 * Has a function called for each of n byte strings, as mp_pool_map does. The results come out of
 * mp_result_get_each.
 *
 * function: not NULL. user: handed to it, see mp_task_fn.
 * in: n items; may be NULL where n is 0.
 * map: how it shall run; NULL for the defaults. Its timeout counts from now, as that of
 *     mp_pool_apply_async; its progress is told by the pool's thread, as mp_result_fn is; instead
 *     of its statuses see mp_result_statuses.
 * options: NULL for the defaults.
 * result: where the handle goes, to be freed with mp_result_free; NULL: nobody asks for it.
 *
 * MP_ERR_INVALID: function is NULL, or in is, or statuses is not.
 * The rest as mp_pool_apply_async.
 */
mp_status mp_pool_map_async(mp_pool *pool,
                            mp_task_fn function,
                            void *user,
                            const mp_bytes *in,
                            size_t n,
                            const mp_map_options *map,
                            const mp_async_options *options,
                            mp_result **result);

/*
 * Has a function called for each of n items that lie side by side, as mp_pool_map_array does.
 * The results come out of mp_result_get, side by side.
 *
 * function: not NULL. user: handed to it, see mp_task_fn.
 * in: n items of in_size bytes each; may be NULL where those are 0 bytes in all.
 * out_size: bytes of a result.
 * map: as in mp_pool_map_async.
 * options: NULL for the defaults.
 * result: where the handle goes, to be freed with mp_result_free; NULL: nobody asks for it.
 *
 * MP_ERR_INVALID: function is NULL, the sizes overflow, or statuses is not NULL.
 * The rest as mp_pool_apply_async.
 */
mp_status mp_pool_map_array_async(mp_pool *pool,
                                  mp_task_fn function,
                                  void *user,
                                  const void *in,
                                  size_t in_size,
                                  size_t n,
                                  size_t out_size,
                                  const mp_map_options *map,
                                  const mp_async_options *options,
                                  mp_result **result);

/* ---- pool_stats ---------------------------------------------------------------------------------
 *
 * What a pool has done so far, and what it is at.
 */

/* What a pool has done, and does. */
typedef struct mp_pool_stats {
    /* sizeof(mp_pool_stats), set before the call. */
    size_t size;
    /* Workers that are there. */
    uint64_t workers;
    /* Tasks that were handed out and that no worker has begun. */
    uint64_t queued;
    /* Tasks that run. */
    uint64_t running;
    /* Tasks that came back, whatever of them. */
    uint64_t done;
    /* Those of them in which an item failed. */
    uint64_t failed;
    /* Tasks whose worker died. */
    uint64_t died;
    /* Tasks that were asked to stop, because of a limit, a timeout or mp_result_cancel. */
    uint64_t stopped;
    /* Workers that came in the place of others. */
    uint64_t replaced;
    /* Nanoseconds that all workers together have worked. */
    uint64_t busy;
} mp_pool_stats;

/* What is in one worker's place. */
typedef struct mp_worker_stats {
    /* sizeof(mp_worker_stats), set before the call. */
    size_t size;
    /* The worker that is there; 0 where none is. */
    int pid;
    /* It runs a task. */
    bool running;
    /* Tasks that were done here, by it and by those before it. */
    uint64_t tasks;
    /* Nanoseconds that they took. */
    uint64_t busy;
} mp_worker_stats;

/* mp_pool_stats s = MP_POOL_STATS; mp_worker_stats w = MP_WORKER_STATS; */
#define MP_POOL_STATS { sizeof(mp_pool_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define MP_WORKER_STATS { sizeof(mp_worker_stats), 0, false, 0, 0 }

/*
 * MP_POOL_STATS as a function.
 *
 * stats: where the defaults go; not NULL. size: sizeof(mp_pool_stats).
 *
 * MP_ERR_INVALID: stats is NULL, or size is that of no version of the struct.
 */
mp_status mp_pool_stats_init(mp_pool_stats *stats, size_t size);

/*
 * MP_WORKER_STATS as a function.
 *
 * stats: where the defaults go; not NULL. size: sizeof(mp_worker_stats).
 *
 * MP_ERR_INVALID: stats is NULL, or size is that of no version of the struct.
 */
mp_status mp_worker_stats_init(mp_worker_stats *stats, size_t size);

/*
 * What a pool has done and does, at any moment. Of what came back it knows what a call has looked
 * at.
 *
 * stats: where the numbers go, as far as its size says; begun with MP_POOL_STATS.
 *
 * MP_ERR_INVALID: stats is NULL, or its size makes no sense.
 * MP_ERR_STATE: the pool belongs to another process.
 */
mp_status mp_pool_stats_get(const mp_pool *pool, mp_pool_stats *stats);

/*
 * What is in one worker's place.
 *
 * worker: a number below that of mp_pool_workers.
 * stats: where the numbers go, as far as its size says; begun with MP_WORKER_STATS.
 *
 * MP_ERR_INVALID: stats is NULL, or its size makes no sense, or the pool has no such place.
 * MP_ERR_STATE: the pool belongs to another process.
 */
mp_status mp_pool_worker_stats(const mp_pool *pool, size_t worker, mp_worker_stats *stats);

/*
 * Describes the pool as "<Pool state=RUN pool_size=4>"; the other states are CLOSE and TERMINATE.
 *
 * text: room for size bytes; may be NULL where size is 0.
 * needed: how many bytes the text takes, its zero included, goes here; may be NULL.
 *
 * MP_ERR_TOO_SMALL: it takes more than size bytes; text is as it was.
 * MP_ERR_INVALID: text is NULL, and size is not 0.
 * MP_ERR_STATE: the pool belongs to another process.
 */
mp_status mp_pool_describe(const mp_pool *pool, char *text, size_t size, size_t *needed);

/* ---- task ---------------------------------------------------------------------------------------
 *
 * In a worker: the item that the task's function is called for.
 */

/*
 * The item's bytes, in shared memory; good until the function returns. NULL with
 * mp_last_error() for a bad handle and when the function has returned. In mp_pool_map they are
 * aligned to 16 bytes, in mp_pool_map_array as in an array of such items that is aligned to 16
 * bytes. The address of an empty item is not NULL and must not be followed.
 *
 * len: the number of bytes goes here; may be NULL.
 */
const void *mp_task_input(const mp_task *task, size_t *len);

/*
 * The item's place among the map's items, from 0; 0 with mp_last_error() for a bad handle and
 * when the function has returned.
 */
size_t mp_task_index(const mp_task *task);

/*
 * Whether the function shall return, because its time is over or nobody wants the result any more:
 * what it returns is lost then. false with mp_last_error() for a bad handle and when the function
 * has returned. For functions that take long to ask now and then; one that does not is ended with
 * its worker.
 */
bool mp_task_cancelled(const mp_task *task);

/*
 * Gives the item's result, which is copied. The last call counts: where it fails in the thread
 * that runs the function, so does the item, as by mp_task_fail with the call's sentence.
 *
 * data: may be NULL where len is 0. len: bytes; in mp_pool_map_array exactly out_size.
 *
 * MP_ERR_INVALID: len is not the map's out_size, or data is NULL and len is not 0.
 * MP_ERR_NO_MEMORY: there is no memory for the copy.
 * MP_ERR_STATE: the function has returned.
 */
mp_status mp_task_return(mp_task *task, const void *data, size_t len);

/*
 * Says that the item failed: the map answers MP_ERR_TASK_FAILED, with this sentence in its
 * mp_last_error(). The last call counts. The function still has to return.
 *
 * message: ended by a zero; copied.
 *
 * MP_ERR_INVALID: message is NULL.
 * MP_ERR_STATE: the function has returned.
 */
mp_status mp_task_fail(mp_task *task, const char *message);

/* ---- log ----------------------------------------------------------------------------------------
 *
 * Logging: what libmp has to say of itself, and the program's own records in the same form.
 */

/* How much a record matters. Any number from 1 to 999 is a level; these have names. */
typedef enum mp_log_level {
    /* No level was set: records below MP_LOG_WARNING are dropped. */
    MP_LOG_NOTSET = 0,
    /* More of it than anybody wants to read. */
    MP_LOG_SUBDEBUG = 5,
    /* What processes do. */
    MP_LOG_DEBUG = 10,
    /* How processes begin and end. */
    MP_LOG_INFO = 20,
    /* What is worth a look. */
    MP_LOG_SUBWARNING = 25,
    /* What may go wrong. */
    MP_LOG_WARNING = 30,
    /* What went wrong. */
    MP_LOG_ERROR = 40,
    /* What ends the program. */
    MP_LOG_CRITICAL = 50,
    /* Above every level: no record is kept. */
    MP_LOG_OFF = 1000,
} mp_log_level;

/*
 * One record, as a sink is given it; read only, and good until the sink returns. Later versions
 * may add members at its end.
 */
typedef struct mp_log_record {
    /* sizeof(mp_log_record) of the library. */
    size_t size;
    /* From 1 to 999. */
    int level;
    /* The process that logs. */
    int pid;
    /* Nanoseconds since 1970. */
    int64_t time;
    /* "WARNING" for example; "Level 15" for a number without a name. */
    const char *level_name;
    /* What the process is called, "Process-1" for example. */
    const char *process_name;
    /* Without a line's end. */
    const char *message;
} mp_log_record;

/*
 * What is given the records of the process that it is set in, in the thread that logs; or those
 * that mp_log_listen takes out of a queue. It may use libmp; what it logs itself is not given to
 * it. An exception must not leave it.
 */
typedef void (*mp_log_fn)(const mp_log_record *record, void *user);

/*
 * Drops records below a level from now on. Nothing is logged, whatever the level, before there is
 * a sink or a queue for it, or mp_log_to_stderr was called. The environment variable MP_LOG, a
 * level's name ("debug") or number, does what mp_log_to_stderr with that level would do at the
 * program's start.
 *
 * level: an mp_log_level or a number from 1 to 999.
 *
 * MP_ERR_INVALID: it is neither.
 *
 * Threads: any. Children that are started later have this process's level, and the rest of what
 * is set here, by every start method; what is set later is each process's own.
 */
mp_status mp_log_set_level(int level);

/* The level that was set; MP_LOG_NOTSET if none was. */
int mp_log_get_level(void);

/* Whether a record of this level would go anywhere: for records that cost something to make. */
bool mp_log_enabled(int level);

/*
 * Has every record written to stderr as "[LEVEL/Process-1] message", by one write, so that those
 * of several processes do not mix. A stderr that nobody reads does no harm.
 *
 * level: sets the level, too; MP_LOG_NOTSET leaves it as it is.
 *
 * MP_ERR_INVALID: it is no level.
 */
mp_status mp_log_to_stderr(int level);

/*
 * Has every record given to a function, in the place of the one before. When the call returns
 * another thread may still be in that.
 *
 * sink: NULL for none.
 * user: handed to sink. A child by spawn or by the fork server, which does not have this memory,
 *     has the sink only where user is NULL and the function can be found as a target is.
 *
 * Fork: a forked child has the sink, with its own copy of what user points to.
 */
mp_status mp_log_set_sink(mp_log_fn sink, void *user);

/*
 * Logs a record of the program's own.
 *
 * level: 1 to 999.
 * message: one line without its end.
 *
 * MP_ERR_INVALID: level is out of its range, or message is NULL.
 */
mp_status mp_log_write(int level, const char *message);

/* ---- log_queue ----------------------------------------------------------------------------------
 *
 * Logging of many processes in one place: they put their records into a queue, and one of them, or a
 * thread of it, takes them out and does with them what is to be done.
 */

/*
 * Has every record of this process put into a queue, in the place of the one before, besides what
 * mp_log_to_stderr and mp_log_set_sink ask for. mp_log_listen takes them out. Logging never waits
 * for room: where the queue has none the record is lost.
 *
 * queue: NULL for none. The handle may be freed: the log holds the queue by one of its own.
 *
 * MP_ERR_BAD_HANDLE: queue is none.
 * MP_ERR_NO_MEMORY: there is no room for one more handle.
 *
 * Threads: any. Children that are started later, workers of pools too, put theirs into the same
 * queue, by every start method; by spawn and by the fork server not where the queue has a name.
 * Kill: a record is in the queue, whole, or it is not.
 */
mp_status mp_log_to_queue(mp_queue *queue);

/*
 * Takes records out of a queue, which mp_log_to_queue has put there, and hands each to a sink,
 * until the message "none" comes or the queue is at its end. Run it in a thread or process of its
 * own; a process that logs into the same queue must not log from the sink, or there is no end.
 *
 * queue: nothing else should be in it.
 * sink: called in this thread; NULL: the records go where this process's own go, to stderr and
 *     its sink, whatever its level.
 * user: handed to sink.
 * timeout: nanoseconds to wait in all. What is there already is taken in any case.
 *
 * MP_OK: "none" came, or the queue was shut down and is empty.
 * MP_ERR_CLOSED: this handle was closed, before or meanwhile.
 * MP_ERR_TIMEOUT: the time is over, and the queue empty.
 * MP_ERR_INVALID: a message was no record; it is gone, and the call may be made again.
 * MP_ERR_NO_MEMORY: there is no memory for a record, which stays the oldest.
 * MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
 *
 * Threads: each record goes to one of those who listen.
 * Kill: a record that a killed process had taken out and not yet handed on is lost.
 */
mp_status mp_log_listen(mp_queue *queue, mp_log_fn sink, void *user, mp_timeout timeout);

/* ---- stats --------------------------------------------------------------------------------------
 *
 * What the program's shared segment holds: where memory went, and whether something leaks.
 */

/* Exact at some moment during the call. */
typedef struct mp_stats {
    /* sizeof(mp_stats), set before the call. */
    size_t size;
    /* Processes that use libmp. */
    uint64_t processes;
    /*
     * Objects: locks, values, arrays, memory, queues, pools, and bytes on their way. A value or an
     * array and the RLock of its own are two.
     */
    uint64_t blocks;
    /* Bytes that the segment could grow to. */
    uint64_t bytes_reserved;
    /* Bytes that are handed out or kept for small objects. */
    uint64_t bytes_used;
    /* Sleeps that found work without having been woken: 0, unless processes were killed. */
    uint64_t rescued;
    /* Locks taken over from dead holders. */
    uint64_t owner_deaths;
    /* Dead processes whose belongings were taken back, those that exited normally included. */
    uint64_t sweeps;
} mp_stats;

/* mp_stats s = MP_STATS; */
#define MP_STATS { sizeof(mp_stats), 0, 0, 0, 0, 0, 0, 0 }

/*
 * MP_STATS as a function.
 *
 * stats: where the defaults go; not NULL. size: sizeof(mp_stats).
 *
 * MP_ERR_INVALID: stats is NULL, or size is that of no version of the struct.
 */
mp_status mp_stats_init(mp_stats *stats, size_t size);

/*
 * Looks the segment over, which takes its time when there are many objects: not for polling.
 *
 * stats: where the numbers go, as far as its size says; begun with MP_STATS.
 *
 * MP_ERR_INVALID: stats is NULL, or its size is less than that of a size.
 *
 * Threads, processes: others that make or free objects meanwhile wait for the end of this
 * call.
 */
mp_status mp_stats_get(mp_stats *stats);

#ifdef __cplusplus
}
#endif

#endif /* MP_H */
