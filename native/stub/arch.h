/* The one place where the stub chooses its architecture. */
#if defined(__x86_64__)
#include "arch/x86_64.h"
#else
#error "the stub has no file in arch/ for this architecture"
#endif
