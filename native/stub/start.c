/* What the kernel gave this process on its stack: see start.h. */
#include "start.h"

struct start start_read(unsigned long *stack)
{
	struct start start = { .argc = stack[0], .argv = (char **)(stack + 1) };

	start.envp = start.argv + start.argc + 1;
	while (start.envp[start.envc] != NULL)
		start.envc++;
	start.auxv = (Elf64_auxv_t *)(start.envp + start.envc + 1);
	for (; start.auxv[start.auxc].a_type != AT_NULL; start.auxc++) {
		const Elf64_auxv_t *entry = &start.auxv[start.auxc];

		if (entry->a_type == AT_SECURE)
			start.is_secure = entry->a_un.a_val != 0;
		else if (entry->a_type == AT_PAGESZ)
			start.page_size = entry->a_un.a_val;
	}
	return start;
}
