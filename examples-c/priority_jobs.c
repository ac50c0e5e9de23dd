/* Jobs by priority, of which none is lost with the worker that dies over it: the first worker is killed in the middle of
 * the most urgent job, and the second is handed that job again. */
#include <mp.h>
#include <signal.h>
#include <stdio.h>

static int work(mp_child *self, void *user)
{
    mp_priority_queue *jobs = mp_child_priority_queue(self, 0);
    const char *name = mp_child_bytes(self, 1, NULL);
    uint64_t lease, times;
    char job[32];

    (void)user;
    while (mp_priority_queue_lease(jobs, job, sizeof job, NULL, NULL, NULL, &lease, MP_FOREVER) == MP_OK) {
        mp_priority_queue_deliveries(jobs, lease, &times);
        printf("%s: %s%s\n", name, job, times > 1 ? ", again" : "");
        fflush(stdout);
        if (name[0] == 'A')
            raise(SIGKILL);
        mp_priority_queue_acknowledge(jobs, lease);
    }
    return 0;
}

static int run(mp_priority_queue *jobs, const char *name, int *code)
{
    mp_process *p;

    return mp_process_new(&p, work, NULL, NULL) < 0 || mp_process_add_handle(p, jobs) < 0 ||
           mp_process_add_bytes(p, name, 2) < 0 || mp_process_start(p) < 0 ||
           mp_process_join(p, MP_FOREVER) < 0 || mp_process_exitcode(p, code) < 0 || mp_process_free(p) < 0;
}

int main(int argc, char **argv)
{
    mp_priority_queue *jobs;
    int code;

    if (mp_bootstrap(argc, argv) < 0 || mp_priority_queue_new(&jobs, NULL) < 0 ||
        mp_priority_queue_put(jobs, "sweep", sizeof "sweep", 9, MP_FOREVER) < 0 ||
        mp_priority_queue_put(jobs, "cook", sizeof "cook", 5, MP_FOREVER) < 0 ||
        mp_priority_queue_put(jobs, "put out the fire", sizeof "put out the fire", 1, MP_FOREVER) < 0 ||
        mp_priority_queue_shutdown(jobs, false) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    if (run(jobs, "A", &code) != 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    printf("A ended with %d\n", code);
    fflush(stdout);
    if (run(jobs, "B", &code) != 0 || mp_priority_queue_join(jobs, MP_NO_WAIT) < 0 ||
        mp_priority_queue_free(jobs) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    printf("all is done\n");
    return 0;
}
