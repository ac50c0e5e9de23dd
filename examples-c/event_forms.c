/* An event: set and cleared by one process, waited for by another, with a time limit and without. */
#include <mp.h>
#include <stdio.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: what it waits for, and what it sets then. */
static int answers(mp_child *self, void *user)
{
    (void)user;
    if (mp_event_wait(mp_child_event(self, 0), MP_FOREVER) < 0 || mp_event_set(mp_child_event(self, 1)) < 0)
        return failed();
    return 0;
}

static int show(const mp_event *event)
{
    bool set;

    if (mp_event_is_set(event, &set) < 0)
        return failed();
    printf("%s\n", set ? "set" : "not set");
    return 0;
}

int main(int argc, char **argv)
{
    mp_event *question, *answer;
    mp_process *child;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_event_new(&question, NULL) < 0 || mp_event_new(&answer, NULL) < 0 ||
        mp_process_new(&child, answers, NULL, NULL) < 0 ||
        mp_process_add_handle(child, question) < 0 ||
        mp_process_add_handle(child, answer) < 0 ||
        mp_process_start(child) < 0)
        return failed();
    printf("within 10 ms: %s\n", mp_status_name(mp_event_wait(answer, MP_MS(10))));
    if (show(question) != 0 || mp_event_set(question) < 0 || show(question) != 0)
        return failed();
    printf("the answer: %s\n", mp_status_name(mp_event_wait(answer, MP_FOREVER)));
    if (mp_event_clear(question) < 0 || show(question) != 0)
        return failed();
    if (mp_process_join(child, MP_FOREVER) < 0 || mp_process_free(child) < 0 ||
        mp_event_free(question) < 0 || mp_event_free(answer) < 0)
        return failed();
    return 0;
}
