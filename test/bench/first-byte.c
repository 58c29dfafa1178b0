/*
 * Connects at once, sends a byte, waits for one: how long its bridge takes to be there for it.
 *
 *   first-byte PORT PREFIX
 *
 * Runs:     in the sandbox (npm run bench), as the program.
 * Promises: prints the microseconds from its start until the byte came; PREFIX is sent before the byte.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char request[16 + 1] = { 0 }, byte;
	struct timespec start, end;
	int fd;

	clock_gettime(CLOCK_MONOTONIC, &start);
	if (argc != 3)
		return 2;
	address.sin_port = htons((unsigned short)atoi(argv[1]));
	strncpy(request, argv[2], 8); /* the load generator's request has 16 bytes */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    write(fd, request, sizeof(request)) != sizeof(request) || read(fd, &byte, 1) != 1) {
		perror("first-byte");
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%ld\n", (end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000);
	return 0;
}
