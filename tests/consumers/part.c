#include <mp.h>

const char *version_in_c(void);

const char *version_in_c(void)
{
    return mp_version();
}
