/* What the set-up gives to the keeper: see kept.h. */
#include "kept.h"

#include "channel.h"
#include "descriptor.h"
#include "fail.h"
#include "sys.h"
#include "text.h"

/* The first message that could not be obeyed. */
struct refusal {
	uint32_t kind;
	uint32_t index; /* among those of its kind */
	uint32_t error;
};

/* What is known while the set-up lives. */
struct taking {
	struct kept *kept;
	int setup;
	uint32_t targets; /* that were looked at */
	struct refusal refusal;
	int is_ready; /* the set-up knows that all was kept: the program may have started */
};

/* A message of the set-up's with its payload. */
static union {
	char bytes[MAX_FILTER_BYTES];
	char path[MAX_PATH];
} payload;

/* A path and nothing more, terminated. */
static int is_path(size_t length)
{
	return length > 1 && length <= MAX_PATH && payload.path[length - 1] == '\0' &&
	       text_length(payload.path) == length - 1;
}

static long keep_listener(struct bridge_process *parts, int listener)
{
	if (listener == NO_DESCRIPTOR)
		return -EBADF;
	if (parts->listener_count == MAX_LISTENERS)
		return -E2BIG;
	parts->listeners[parts->listener_count++] = listener;
	return 0;
}

/* The name in the payload within the directory, where a listener is about to be made. */
static long keep_socket_place(struct kept *kept, int directory, int is_free, size_t length)
{
	struct socket_file *file = &kept->files[kept->file_count];

	if (directory == NO_DESCRIPTOR)
		return -EBADF;
	if (kept->file_count == MAX_LISTENERS || !is_path(length))
		return -E2BIG;
	file->directory = directory;
	file->state = is_free ? SOCKET_FILE_COMING : SOCKET_FILE_OTHERS;
	memcpy(file->name, payload.path, length);
	kept->file_count++;
	return 0;
}

/* The listener of that place is made: what is there now is what is removed in the end. */
static long keep_socket_file(struct kept *kept, uint32_t place)
{
	struct socket_file *file = &kept->files[place < kept->file_count ? place : 0];
	struct statx found = { .stx_mask = 0 };
	long result;

	if (place >= kept->file_count)
		return -EINVAL;
	result = sys_statx(file->directory, file->name, &found);
	if (result < 0)
		return result;
	file->state = SOCKET_FILE_OURS;
	file->inode = found.stx_ino;
	file->device_major = found.stx_dev_major;
	file->device_minor = found.stx_dev_minor;
	return 0;
}

/* Whether a process without capabilities may connect; a target that is not there yet may come. */
static long may_connect(size_t length)
{
	long result = is_path(length) ? sys_access(payload.path, W_OK) : -E2BIG;

	/* Linux 5.8 has the call; filters that do not know it say EPERM. */
	return result == -ENOENT || result == -ENOSYS || result == -EPERM ? 0 : result;
}

static long keep_filter(struct bridge_process *parts, size_t length)
{
	if (length > sizeof(parts->filter))
		return -E2BIG;
	memcpy(parts->filter, payload.bytes, length);
	parts->filter_bytes = (uint32_t)length;
	return 0;
}

/* Obeys one message of the set-up's. Returns 0 or -errno; @index says which of its kind it was. */
static long keep(struct taking *taking, const struct delivery *delivery, uint32_t *index)
{
	struct kept *kept = taking->kept;
	struct bridge_process *parts = &kept->parts;

	*index = 0;
	switch (delivery->message.kind) {
	case MESSAGE_LISTENER:
		*index = parts->listener_count;
		return keep_listener(parts, delivery->descriptors[0]);
	case MESSAGE_SOCKET_PLACE:
		*index = kept->file_count;
		return keep_socket_place(kept, delivery->descriptors[0], delivery->message.value == 1,
					 delivery->payload_length);
	case MESSAGE_SOCKET_FILE:
		*index = delivery->message.value;
		return keep_socket_file(kept, delivery->message.value);
	case MESSAGE_MAY_CONNECT:
		*index = taking->targets++;
		return may_connect(delivery->payload_length);
	case MESSAGE_RELAY_PLAN:
		parts->relay_plan = delivery->descriptors[0];
		return 0;
	case MESSAGE_RULESET:
		parts->ruleset = delivery->descriptors[0];
		return 0;
	case MESSAGE_FILTER:
		return keep_filter(parts, delivery->payload_length);
	case MESSAGE_STATUS:
		parts->status = delivery->descriptors[0];
		kept->idle_report = delivery->descriptors[1];
		return 0;
	case MESSAGE_DEBUG:
		parts->debug = delivery->descriptors[0];
		return 0;
	default:
		return -EPROTO;
	}
}

/* A set-up that was killed may have made its socket without a word: then it is one of our user's where nothing was. */
static int is_ours(const struct socket_file *file, const struct statx *found)
{
	switch (file->state) {
	case SOCKET_FILE_OURS:
		return found->stx_ino == file->inode && found->stx_dev_major == file->device_major &&
		       found->stx_dev_minor == file->device_minor;
	case SOCKET_FILE_COMING:
		return (found->stx_mode & S_IFMT) == S_IFSOCK && found->stx_uid == sys_geteuid();
	default:
		return 0;
	}
}

/* Removes our Unix sockets, unless something else has taken their places. */
void kept_remove_files(struct kept *kept)
{
	for (uint32_t i = 0; i < kept->file_count; i++) {
		const struct socket_file *file = &kept->files[i];
		struct statx found = { .stx_mask = 0 };

		if (sys_statx(file->directory, file->name, &found) >= 0 && is_ours(file, &found))
			(void)sys_unlink(file->directory, file->name); /* nobody is left to tell */
	}
	kept->file_count = 0;
}

static void answer_ready(struct taking *taking)
{
	struct message answer = {
		.kind = MESSAGE_KEPT,
		.step = taking->refusal.kind,
		.index = taking->refusal.index,
		.error = taking->refusal.error,
	};

	taking->is_ready = taking->refusal.error == 0;
	if (channel_send(taking->setup, &answer, NO_DESCRIPTOR) >= 0)
		return;
	/* The set-up is gone, or it must not wait for ever: our end closes. */
	kept_remove_files(taking->kept);
	sys_exit(EXIT_FENCE_FAILED);
}

/*
 * The set-up was killed. Before it was told that all is kept, the program cannot have started. Afterwards this process
 * cannot know: it goes on, and soon finds that the waiting process has ended if it has.
 */
static void on_setup_gone(const struct taking *taking)
{
	if (taking->is_ready)
		return;
	kept_remove_files(taking->kept);
	sys_exit(0);
}

void kept_take(struct kept *kept, int setup)
{
	struct taking taking = { .kept = kept, .setup = setup };
	struct delivery delivery;
	uint32_t index = 0;
	long result;

	for (;;) {
		result = channel_receive(setup, &delivery, &payload, sizeof(payload));
		if (result >= 0 && delivery.message.kind == MESSAGE_EXIT)
			sys_exit(0);
		if (result == -EPIPE)
			on_setup_gone(&taking);
		if (result == -EPIPE || (result >= 0 && delivery.message.kind == MESSAGE_SERVE))
			return;
		if (result >= 0 && delivery.message.kind == MESSAGE_READY) {
			kept->has_reaper = delivery.message.value != 0;
			answer_ready(&taking);
			continue;
		}
		if (result >= 0)
			result = keep(&taking, &delivery, &index);
		if (result < 0 && taking.refusal.error == 0)
			taking.refusal = (struct refusal){ delivery.message.kind, index, (uint32_t)-result };
	}
}
