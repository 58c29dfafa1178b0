/*
 * What the planner of mounts asks about files of the host: some hundred questions, so each is one call that makes no object.
 *
 * Runs:     in Node, host.
 * Promises: changes nothing; follows no symlink at the end of a path.
 * Source:   fstatat(2), readlink(2), open(2) O_PATH, getdents(2)
 */
#include "relay.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* With room for one more character in UTF-8: what is cut is still too long for the kernel, which says so. */
#define PATH_ROOM (PATH_MAX + 4)
/* Some thousand names. */
#define LIST_ROOM 32768

/* @value's bytes, ended by NUL. Returns 0, or -1 with a TypeError pending. */
static int path_of(napi_env env, napi_value value, char path[PATH_ROOM])
{
	size_t length;

	if (napi_get_value_string_utf8(env, value, path, PATH_ROOM, &length) == napi_ok && strlen(path) == length)
		return 0;
	glue_type_error(env, "expected a path, without NUL");
	return -1;
}

/* pathFacts(path, facts: BigUint64Array of 4): st_mode or -errno. @facts become st_uid, st_nlink, st_dev and st_ino. */
static napi_value path_facts_call(napi_env env, napi_callback_info info)
{
	char path[PATH_ROOM];
	napi_typedarray_type type;
	napi_value args[2];
	struct stat stat;
	uint64_t *facts;
	size_t count;
	void *slot;

	if (glue_args(env, info, 2, args) != 0 || path_of(env, args[0], path) != 0)
		return NULL;
	if (napi_get_typedarray_info(env, args[1], &type, &count, &slot, NULL, NULL) != napi_ok ||
	    type != napi_biguint64_array || count < 4)
		return glue_type_error(env, "expected a BigUint64Array of 4");
	if (lstat(path, &stat) == -1)
		return glue_number(env, -errno);
	facts = slot;
	facts[0] = stat.st_uid;
	facts[1] = stat.st_nlink;
	facts[2] = stat.st_dev;
	facts[3] = stat.st_ino;
	return glue_number(env, stat.st_mode);
}

/* linkTarget(path, target: Buffer): its length or -errno. What does not fit is cut. */
static napi_value link_target_call(napi_env env, napi_callback_info info)
{
	char path[PATH_ROOM];
	napi_value args[2];
	size_t length;
	void *target;

	if (glue_args(env, info, 2, args) != 0 || path_of(env, args[0], path) != 0)
		return NULL;
	if (napi_get_buffer_info(env, args[1], &target, &length) != napi_ok)
		return glue_type_error(env, "expected a Buffer");
	return glue_number(env, or_errno(readlink(path, target, length)));
}

/*
 * Sets found[i] for each of @count names, one behind another, that is in @directory. Returns how many are, or -errno: when memory
 * ran out nobody knows.
 */
static int64_t present_in(const char *directory, const char *name, uint8_t *found, size_t count)
{
	int place = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int64_t present = 0;

	if (place == -1)
		return -errno;
	for (size_t i = 0; i < count && present >= 0; i++) {
		struct stat stat;

		found[i] = fstatat(place, name, &stat, AT_SYMLINK_NOFOLLOW) == 0;
		present = found[i] == 0 && errno == ENOMEM ? -ENOMEM : present + found[i];
		name += strlen(name) + 1;
	}
	(void)close(place); /* nothing was written */
	return present;
}

static size_t count_ends(const char *bytes, size_t length)
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++)
		count += bytes[i] == '\0';
	return count;
}

/* presentIn(directory, names: Buffer, found: Uint8Array): how many of the names are there, or -errno; each name ends in NUL. */
static napi_value present_in_call(napi_env env, napi_callback_info info)
{
	char directory[PATH_ROOM];
	napi_typedarray_type type;
	size_t length, count;
	napi_value args[3];
	void *names, *found;

	if (glue_args(env, info, 3, args) != 0 || path_of(env, args[0], directory) != 0)
		return NULL;
	if (napi_get_buffer_info(env, args[1], &names, &length) != napi_ok ||
	    napi_get_typedarray_info(env, args[2], &type, &count, &found, NULL, NULL) != napi_ok ||
	    type != napi_uint8_array || length == 0 || ((const char *)names)[length - 1] != '\0' ||
	    count_ends(names, length) != count)
		return glue_type_error(env, "expected (path, Buffer, Uint8Array): a byte for each name, which ends in NUL");
	return glue_number(env, present_in(directory, names, found, count));
}

/* The type as inode(7) numbers it: st_mode without the bits of permissions, shifted. 0: it is gone. */
static unsigned int type_of(int directory, const struct dirent64 *entry)
{
	struct stat stat;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	return fstatat(directory, entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) == 0 ? IFTODT(stat.st_mode) : 0;
}

/* Writes the entry behind the first @length bytes when there is room. Returns how many bytes there are then, or would be. */
static size_t add_entry(int directory, const struct dirent64 *entry, char *bytes, size_t room, size_t length)
{
	size_t size = strlen(entry->d_name) + 1;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return length;
	if (length + 1 + size <= room) {
		bytes[length] = (char)('@' + type_of(directory, entry));
		memcpy(bytes + length + 1, entry->d_name, size);
	}
	return length + 1 + size;
}

/* Returns how many bytes the entries of the open @directory take, or -errno. */
static int64_t list(int directory, char *bytes, size_t room)
{
	_Alignas(struct dirent64) char entries[LIST_ROOM];
	size_t length = 0;
	ssize_t count;

	while ((count = getdents64(directory, entries, sizeof(entries))) > 0) {
		for (ssize_t at = 0; at < count;) {
			const struct dirent64 *entry = (const void *)(entries + at);

			length = add_entry(directory, entry, bytes, room, length);
			at += entry->d_reclen;
		}
	}
	return count == -1 ? -errno : (int64_t)length;
}

/* listDirectory(path, entries: Buffer): how many bytes they take, or -errno. Only what fits is written. */
static napi_value list_directory_call(napi_env env, napi_callback_info info)
{
	char path[PATH_ROOM];
	napi_value args[2];
	int64_t result;
	size_t room;
	void *bytes;
	int directory;

	if (glue_args(env, info, 2, args) != 0 || path_of(env, args[0], path) != 0)
		return NULL;
	if (napi_get_buffer_info(env, args[1], &bytes, &room) != napi_ok)
		return glue_type_error(env, "expected a Buffer");
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory == -1)
		return glue_number(env, -errno);
	result = list(directory, bytes, room);
	(void)close(directory); /* nothing was written */
	return glue_number(env, result);
}

int paths_register(napi_env env, napi_value exports)
{
	const napi_property_descriptor calls[] = {
		GLUE_CALL("pathFacts", path_facts_call),
		GLUE_CALL("linkTarget", link_target_call),
		GLUE_CALL("presentIn", present_in_call),
		GLUE_CALL("listDirectory", list_directory_call),
	};

	return glue_register(env, exports, sizeof(calls) / sizeof(calls[0]), calls);
}
