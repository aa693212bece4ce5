/*
 * A double of IBM MQ's client library for tests: see README.md beside it. Our reading of the MQI, not IBM MQ.
 *
 * A message's file is its descriptor (364 bytes, version 2), then its body. Its name says where it stands:
 * 9 - priority, then the time, so that names in their order are messages in theirs.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef int32_t MQLONG;

enum { OK = 0, WARNING = 1, FAILED = 2 };
enum { HANDLES = 256, OPEN = 64, MD_LENGTH = 364, PATH = 1024, WORK = 4096 };
/* Offsets in MQMD, MQGMO, MQPMO and MQOD. */
enum { MD_MSG_TYPE = 8, MD_EXPIRY = 16, MD_CCSID = 28, MD_PRIORITY = 40, MD_PERSISTENCE = 44, MD_MSG_ID = 48 };
enum { MD_BACKOUT_COUNT = 96, MD_PUT_DATE = 304, MD_PUT_TIME = 312, GMO_OPTIONS = 8, GMO_WAIT = 12, GMO_MATCH = 72 };
enum { PMO_OPTIONS = 8, OD_TYPE = 8, OD_NAME = 12, OD_MANAGER = 60 };
enum { GMO_WAITS = 0x1, GMO_SYNCPOINT = 0x2, GMO_BROWSE_FIRST = 0x10, GMO_BROWSE_NEXT = 0x20, MATCH_MSG_ID = 0x1 };
enum { PMO_SYNCPOINT = 0x2, OO_INPUT = 0x1 | 0x2 | 0x4, OO_BROWSE = 0x8, OO_OUTPUT = 0x10, OO_INQUIRE = 0x20 };
enum { RC_CONNECTION_BROKEN = 2009, RC_HCONN = 2018, RC_HOBJ = 2019, RC_NO_MSG = 2033, RC_NOT_AUTHORISED = 2035 };
enum { RC_NOT_OPEN_FOR_GET = 2037, RC_NOT_OPEN_FOR_PUT = 2039, RC_FULL = 2053, RC_Q_MGR = 2059, RC_TRUNCATED = 2080 };
enum { RC_UNKNOWN_OBJECT = 2085, RC_RESOURCE = 2102, RC_NOT_SUPPORTED = 2298, CA_BACKOUT_QUEUE = 2019 };
enum { OBJECT_Q_MGR = 5, NAME_LENGTH = 48 };

struct object {
	int used, options;
	char name[NAME_LENGTH + 1];
	char last[256]; /* what was browsed last */
};

/* One step of a unit of work: a file that was got, locked by `fd`, or one that was put, under a name nobody looks at. */
struct step {
	int fd;
	char path[PATH], shown[PATH];
};

struct connection {
	int used;
	pthread_mutex_t lock;
	struct object objects[OPEN];
	struct step *steps;
	int count;
};

static struct connection connections[HANDLES];
static pthread_mutex_t connections_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned numbers;

static const char *folder(void) {
	const char *found = getenv("MQ_DOUBLE_FOLDER");
	return found ? found : "/nonexistent";
}

static int is_there(const char *queue, const char *name) {
	char path[PATH];
	snprintf(path, sizeof path, "%s/%s/%s", folder(), queue, name);
	return access(path, F_OK) == 0;
}

static MQLONG number_at(const void *structure, int offset) {
	MQLONG found;
	memcpy(&found, (const char *)structure + offset, sizeof found);
	return found;
}

static void set_number(void *structure, int offset, MQLONG value) { memcpy((char *)structure + offset, &value, sizeof value); }

static void answer(MQLONG *code, MQLONG *reason, MQLONG why) {
	*reason = why;
	*code = why == 0 ? OK : FAILED;
}

static struct connection *find(MQLONG handle, MQLONG *code, MQLONG *reason) {
	if (handle < 1 || handle >= HANDLES || !connections[handle].used) {
		answer(code, reason, RC_HCONN);
		return NULL;
	}
	if (is_there(".", ".down")) {
		answer(code, reason, RC_CONNECTION_BROKEN);
		return NULL;
	}
	return &connections[handle];
}

static struct object *object_of(struct connection *connection, MQLONG handle, MQLONG *code, MQLONG *reason) {
	if (handle < 1 || handle >= OPEN || !connection->objects[handle].used) {
		answer(code, reason, RC_HOBJ);
		return NULL;
	}
	return &connection->objects[handle];
}

/* Names are filled up with spaces or zeros. */
static void copy_name(char *to, const char *from) {
	int length = 0;
	while (length < NAME_LENGTH && from[length] && from[length] != ' ')
		length++;
	memcpy(to, from, length);
	to[length] = 0;
}

void MQCONNX(char *name, void *options, MQLONG *handle, MQLONG *code, MQLONG *reason) {
	(void)name;
	(void)options;
	if (is_there(".", ".refused") || is_there(".", ".down") || !is_there(".", ".")) {
		answer(code, reason, is_there(".", ".refused") ? RC_NOT_AUTHORISED : RC_Q_MGR);
		return;
	}
	pthread_mutex_lock(&connections_lock);
	int at = 1;
	while (at < HANDLES && connections[at].used)
		at++;
	if (at < HANDLES) {
		memset(&connections[at], 0, sizeof connections[at]);
		pthread_mutex_init(&connections[at].lock, NULL);
		connections[at].steps = calloc(WORK, sizeof(struct step));
		connections[at].used = 1;
	}
	pthread_mutex_unlock(&connections_lock);
	*handle = at < HANDLES ? at : -1;
	answer(code, reason, at < HANDLES ? 0 : RC_RESOURCE);
}

void MQCONN(char *name, MQLONG *handle, MQLONG *code, MQLONG *reason) { MQCONNX(name, NULL, handle, code, reason); }

/* What was put becomes visible before what was got goes: a death in between leaves it in both places. */
static void finish(struct connection *connection, int is_commit) {
	for (int pass = 0; pass < 2; pass++)
		for (int at = 0; at < connection->count; at++) {
			struct step *step = &connection->steps[at];
			int is_put = step->shown[0] != 0;
			if (is_put != (pass == 0))
				continue;
			if (is_put && is_commit)
				rename(step->path, step->shown);
			else if (is_put || is_commit)
				unlink(step->path);
			if (step->fd >= 0)
				close(step->fd);
		}
	connection->count = 0;
}

static void end_work(MQLONG handle, int is_commit, MQLONG *code, MQLONG *reason) {
	struct connection *connection = find(handle, code, reason);
	if (!connection)
		return;
	pthread_mutex_lock(&connection->lock);
	finish(connection, is_commit);
	pthread_mutex_unlock(&connection->lock);
	answer(code, reason, 0);
}

void MQCMIT(MQLONG handle, MQLONG *code, MQLONG *reason) { end_work(handle, 1, code, reason); }
void MQBACK(MQLONG handle, MQLONG *code, MQLONG *reason) { end_work(handle, 0, code, reason); }

void MQDISC(MQLONG *handle, MQLONG *code, MQLONG *reason) {
	if (*handle < 1 || *handle >= HANDLES || !connections[*handle].used) {
		answer(code, reason, RC_HCONN);
		return;
	}
	struct connection *connection = &connections[*handle];
	int is_down = is_there(".", ".down");
	pthread_mutex_lock(&connection->lock);
	/* As documented: whoever disconnects commits; whose connection broke is backed out. */
	finish(connection, !is_down);
	free(connection->steps);
	connection->used = 0;
	pthread_mutex_unlock(&connection->lock);
	*handle = -1;
	answer(code, reason, is_down ? RC_CONNECTION_BROKEN : 0);
}

void MQOPEN(MQLONG handle, void *od, MQLONG options, MQLONG *object, MQLONG *code, MQLONG *reason) {
	struct connection *connection = find(handle, code, reason);
	if (!connection)
		return;
	char name[NAME_LENGTH + 1];
	copy_name(name, (char *)od + OD_NAME);
	if (number_at(od, OD_TYPE) != OBJECT_Q_MGR && (!name[0] || !is_there(name, "."))) {
		answer(code, reason, RC_UNKNOWN_OBJECT);
		return;
	}
	pthread_mutex_lock(&connection->lock);
	int at = 1;
	while (at < OPEN && connection->objects[at].used)
		at++;
	if (at < OPEN) {
		connection->objects[at] = (struct object){.used = 1, .options = options};
		memcpy(connection->objects[at].name, name, sizeof name);
	}
	pthread_mutex_unlock(&connection->lock);
	*object = at;
	answer(code, reason, at < OPEN ? 0 : RC_RESOURCE);
}

void MQCLOSE(MQLONG handle, MQLONG *object, MQLONG options, MQLONG *code, MQLONG *reason) {
	(void)options;
	struct connection *connection = find(handle, code, reason);
	struct object *found = connection ? object_of(connection, *object, code, reason) : NULL;
	if (!found)
		return;
	found->used = 0;
	*object = -1;
	answer(code, reason, 0);
}

static MQLONG put(struct connection *connection, const char *queue, void *md, MQLONG options, MQLONG length, const void *body) {
	char temporary[PATH], shown[PATH];
	struct timespec now;
	if (is_there(queue, ".full"))
		return RC_FULL;
	clock_gettime(CLOCK_REALTIME, &now);
	unsigned number = __sync_add_and_fetch(&numbers, 1);
	MQLONG priority = number_at(md, MD_PRIORITY);
	if (priority < 0)
		set_number(md, MD_PRIORITY, priority = 0);
	if (number_at(md, MD_PERSISTENCE) == 2)
		set_number(md, MD_PERSISTENCE, 1);
	char none[24] = {0};
	if (memcmp((char *)md + MD_MSG_ID, none, sizeof none) == 0) {
		snprintf((char *)md + MD_MSG_ID, 24, "DBL%07d%09lld", getpid() % 10000000, (long long)now.tv_nsec);
		memcpy((char *)md + MD_MSG_ID + 20, &number, sizeof number);
	}
	struct tm utc;
	char text[32];
	gmtime_r(&now.tv_sec, &utc);
	strftime(text, sizeof text, "%Y%m%d", &utc);
	memcpy((char *)md + MD_PUT_DATE, text, 8);
	strftime(text, sizeof text, "%H%M%S", &utc);
	snprintf(text + 6, sizeof text - 6, "%02d", (int)(now.tv_nsec / 10000000));
	memcpy((char *)md + MD_PUT_TIME, text, 8);
	set_number(md, MD_BACKOUT_COUNT, 0);
	snprintf(shown, sizeof shown, "%s/%s/%d-%020lld-%d-%08u", folder(), queue, (int)(9 - priority),
		 (long long)now.tv_sec * 1000000000LL + now.tv_nsec, getpid(), number);
	snprintf(temporary, sizeof temporary, "%s/%s/.put-%d-%08u", folder(), queue, getpid(), number);
	int fd = open(temporary, O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (fd < 0 || write(fd, md, MD_LENGTH) != MD_LENGTH || write(fd, body, length) != length) {
		if (fd >= 0)
			close(fd);
		return RC_RESOURCE;
	}
	close(fd);
	if (!(options & PMO_SYNCPOINT)) {
		rename(temporary, shown);
		return 0;
	}
	if (connection->count >= WORK)
		return RC_RESOURCE;
	struct step *step = &connection->steps[connection->count++];
	step->fd = -1;
	memcpy(step->path, temporary, sizeof temporary);
	memcpy(step->shown, shown, sizeof shown);
	return 0;
}

void MQPUT(MQLONG handle, MQLONG object, void *md, void *pmo, MQLONG length, void *body, MQLONG *code, MQLONG *reason) {
	struct connection *connection = find(handle, code, reason);
	struct object *found = connection ? object_of(connection, object, code, reason) : NULL;
	if (!found)
		return;
	if (!(found->options & OO_OUTPUT)) {
		answer(code, reason, RC_NOT_OPEN_FOR_PUT);
		return;
	}
	pthread_mutex_lock(&connection->lock);
	answer(code, reason, put(connection, found->name, md, number_at(pmo, PMO_OPTIONS), length, body));
	pthread_mutex_unlock(&connection->lock);
}

static int is_message(const struct dirent *entry) { return entry->d_name[0] != '.'; }

/* Read one file's message if nobody else has it. Returns -1 for "look on". */
static MQLONG take(struct connection *connection, struct object *object, const char *name, void *md, void *gmo, MQLONG room,
		   void *body, MQLONG *length) {
	char path[PATH], stored[MD_LENGTH];
	struct stat status;
	MQLONG options = number_at(gmo, GMO_OPTIONS);
	int is_browse = (options & (GMO_BROWSE_FIRST | GMO_BROWSE_NEXT)) != 0;
	snprintf(path, sizeof path, "%s/%s/%s", folder(), object->name, name);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* Whoever had it may have committed since we read the folder: then it has no name any more. */
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &status) != 0 || status.st_nlink == 0 ||
	    read(fd, stored, MD_LENGTH) != MD_LENGTH ||
	    ((number_at(gmo, GMO_MATCH) & MATCH_MSG_ID) && memcmp(stored + MD_MSG_ID, (char *)md + MD_MSG_ID, 24) != 0)) {
		close(fd);
		return -1;
	}
	*length = (MQLONG)(status.st_size - MD_LENGTH);
	memcpy(md, stored, MD_LENGTH);
	if (*length > room) {
		close(fd);
		return RC_TRUNCATED;
	}
	if (read(fd, body, *length) != *length) {
		close(fd);
		return RC_RESOURCE;
	}
	if (is_browse) {
		snprintf(object->last, sizeof object->last, "%s", name);
		close(fd);
		return 0;
	}
	if (!(options & GMO_SYNCPOINT) || connection->count >= WORK) {
		unlink(path);
		close(fd);
		return 0;
	}
	/* Counted now, so that it counts as well when we are killed. */
	set_number(stored, MD_BACKOUT_COUNT, number_at(stored, MD_BACKOUT_COUNT) + 1);
	if (pwrite(fd, stored, MD_LENGTH, 0) != MD_LENGTH) {
		close(fd);
		return RC_RESOURCE;
	}
	struct step *step = &connection->steps[connection->count++];
	step->fd = fd;
	memcpy(step->path, path, sizeof path);
	step->shown[0] = 0;
	return 0;
}

static MQLONG get_once(struct connection *connection, struct object *object, void *md, void *gmo, MQLONG room, void *body,
		       MQLONG *length) {
	char path[PATH];
	struct dirent **entries;
	MQLONG found = RC_NO_MSG;
	snprintf(path, sizeof path, "%s/%s", folder(), object->name);
	int count = scandir(path, &entries, is_message, alphasort);
	for (int at = 0; at < count; at++) {
		int is_passed = (number_at(gmo, GMO_OPTIONS) & GMO_BROWSE_NEXT) && strcmp(entries[at]->d_name, object->last) <= 0;
		if (found == RC_NO_MSG && !is_passed) {
			MQLONG result = take(connection, object, entries[at]->d_name, md, gmo, room, body, length);
			found = result == -1 ? RC_NO_MSG : result;
		}
		free(entries[at]);
	}
	if (count >= 0)
		free(entries);
	return found;
}

void MQGET(MQLONG handle, MQLONG object, void *md, void *gmo, MQLONG room, void *body, MQLONG *length, MQLONG *code,
	   MQLONG *reason) {
	struct connection *connection = find(handle, code, reason);
	struct object *found = connection ? object_of(connection, object, code, reason) : NULL;
	*length = 0;
	if (!found)
		return;
	if (!(found->options & (OO_INPUT | OO_BROWSE))) {
		answer(code, reason, RC_NOT_OPEN_FOR_GET);
		return;
	}
	MQLONG left_ms = number_at(gmo, GMO_OPTIONS) & GMO_WAITS ? number_at(gmo, GMO_WAIT) : 0;
	for (;;) {
		pthread_mutex_lock(&connection->lock);
		MQLONG result = get_once(connection, found, md, gmo, room, body, length);
		pthread_mutex_unlock(&connection->lock);
		if (result != RC_NO_MSG || left_ms <= 0) {
			*reason = result;
			*code = result == 0 ? OK : result == RC_TRUNCATED ? WARNING : FAILED;
			return;
		}
		usleep(10000);
		left_ms -= 10;
		if (!find(handle, code, reason))
			return;
	}
}

void MQINQ(MQLONG handle, MQLONG object, MQLONG count, MQLONG *selectors, MQLONG numbers_count, MQLONG *found_numbers,
	   MQLONG length, char *texts, MQLONG *code, MQLONG *reason) {
	struct connection *connection = find(handle, code, reason);
	struct object *found = connection ? object_of(connection, object, code, reason) : NULL;
	if (!found)
		return;
	memset(texts, ' ', length);
	for (MQLONG at = 0; at < numbers_count; at++)
		found_numbers[at] = 0;
	if (count == 1 && selectors[0] == CA_BACKOUT_QUEUE) {
		char path[PATH];
		snprintf(path, sizeof path, "%s/%s/.boqname", folder(), found->name);
		FILE *file = fopen(path, "r");
		if (file) {
			if (fread(texts, 1, length, file) == 0)
				texts[0] = ' ';
			fclose(file);
		}
	}
	answer(code, reason, 0);
}

/* The binding wants these to be there, and the provider calls none of them. */
#define NOT_SUPPORTED(name, ...)                                                                                             \
	void name(__VA_ARGS__, MQLONG *code, MQLONG *reason) { answer(code, reason, RC_NOT_SUPPORTED); }
#define ANY(number) void *argument##number __attribute__((unused))
NOT_SUPPORTED(MQBEGIN, MQLONG handle __attribute__((unused)), ANY(1))
NOT_SUPPORTED(MQPUT1, MQLONG handle __attribute__((unused)), ANY(1), ANY(2), ANY(3), MQLONG length __attribute__((unused)), ANY(5))
NOT_SUPPORTED(MQSET, MQLONG handle __attribute__((unused)), MQLONG object __attribute__((unused)),
	      MQLONG count __attribute__((unused)), ANY(3), MQLONG numbers_count __attribute__((unused)), ANY(5),
	      MQLONG length __attribute__((unused)), ANY(7))
NOT_SUPPORTED(MQSUB, MQLONG handle __attribute__((unused)), ANY(1), ANY(2), ANY(3))
NOT_SUPPORTED(MQSUBRQ, MQLONG handle __attribute__((unused)), MQLONG object __attribute__((unused)),
	      MQLONG action __attribute__((unused)), ANY(3))
NOT_SUPPORTED(MQSTAT, MQLONG handle __attribute__((unused)), MQLONG type __attribute__((unused)), ANY(2))
NOT_SUPPORTED(MQCB, MQLONG handle __attribute__((unused)), MQLONG operation __attribute__((unused)), ANY(2),
	      MQLONG object __attribute__((unused)), ANY(4), ANY(5))
NOT_SUPPORTED(MQCTL, MQLONG handle __attribute__((unused)), MQLONG operation __attribute__((unused)), ANY(2))
NOT_SUPPORTED(MQCRTMH, MQLONG handle __attribute__((unused)), ANY(1), ANY(2))
NOT_SUPPORTED(MQDLTMH, MQLONG handle __attribute__((unused)), ANY(1), ANY(2))
NOT_SUPPORTED(MQSETMP, MQLONG handle __attribute__((unused)), int64_t message __attribute__((unused)), ANY(2), ANY(3), ANY(4),
	      MQLONG type __attribute__((unused)), MQLONG length __attribute__((unused)), ANY(7))
NOT_SUPPORTED(MQINQMP, MQLONG handle __attribute__((unused)), int64_t message __attribute__((unused)), ANY(2), ANY(3), ANY(4),
	      ANY(5), MQLONG length __attribute__((unused)), ANY(7), ANY(8))
NOT_SUPPORTED(MQDLTMP, MQLONG handle __attribute__((unused)), int64_t message __attribute__((unused)), ANY(2), ANY(3))
