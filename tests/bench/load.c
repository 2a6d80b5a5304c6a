/* Asks a WebSocket server whether numbers are prime, checks every answer and measures: one thread, no library. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const char USAGE[] =
    "usage: load ADDRESS PORT plain|v1 QUESTIONS CLIENTS RATE PATIENCE [SOURCE]\n"
    "\n"
    "Opens CLIENTS WebSockets at ws://ADDRESS:PORT/chatsocket, RATE a second (0: as fast as 128 handshakes at a time go), and\n"
    "prints {\"connected\": CLIENTS, \"seconds\": S}. Each line of QUESTIONS is a number, a space, and 1 if it is prime, else 0.\n"
    "PATIENCE: seconds that all handshakes may take, and the last answers of a run.\n"
    "SOURCE: the address from which it connects: one has ports for some 28,000 sockets to a server.\n"
    "Then it holds the sockets, obeys these lines of its standard input, and prints a line of JSON after each:\n"
    "\n"
    "  closed CLIENTS WINDOW SECONDS JOBS   the first CLIENTS ask WINDOW numbers each, and another for each answer, until\n"
    "                                       SECONDS are over or JOBS are asked; with 0 seconds only the first ones\n"
    "  open CLIENTS RATE SECONDS            the first CLIENTS ask in turn, RATE numbers a second, whatever is unanswered;\n"
    "                                       latencies count from the time at which a number was to be asked\n"
    "\n"
    "It ends with its input. Its status is 1 after a wrong or missing answer and whatever else should not be.\n";

enum {
    MOST_CLIENTS = 19000,    /* a process may have 20,000 open files */
    MOST_MEASURED = 2048,    /* clients that get a histogram of their own */
    MOST_IN_FLIGHT = 4096,   /* questions of one client; also what separates the slot from the sequence in an id */
    HANDSHAKES = 128,        /* at a time */
    BUFFER = 1 << 20,        /* bytes of one read, and of one write */
    FRAME = 256,             /* bytes that a question takes at most */
    HALF = 64,               /* values of a histogram's bucket differ by 1/64 at most */
    BUCKETS = HALF * (2 + 20), /* up to 2^26 us, a minute */
};

static const uint64_t SECOND = 1000000000; /* ns */

/* The example of RFC 6455, so that its answer is known. */
static const char KEY[] = "dGhlIHNhbXBsZSBub25jZQ==", ACCEPT[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
static const char PRIME[] = "is a prime number", COMPOSITE[] = "is not a prime number";

struct question {
    char digits[21];
    uint8_t length;
    bool prime;
};

struct slot {
    uint64_t since;    /* when it was asked, or was to be asked */
    uint64_t sequence; /* of the client's questions, from 1; 0: the slot is free */
    uint32_t question;
};

struct bytes {
    unsigned char *data;
    size_t length, room;
};

enum state { CONNECTING, SHAKING, OPEN, CLOSED };

struct client {
    int descriptor;
    enum state state;
    bool greeted;         /* v1: the notification `session` came */
    bool wants_out;       /* epoll tells when it may be written */
    struct bytes in, out; /* the beginning of a frame; what the socket did not take */
    uint64_t sequence;    /* of the last question, over all runs: an id never comes back */
    uint64_t answered;    /* in this run */
    uint64_t epoch, offset; /* v1: of the last answer */
    struct slot *slots;
    uint32_t in_flight;
    uint16_t *free; /* v1: a stack of free slots. Plain answers come in order, and the slots form a ring */
    uint32_t *histogram;
};

struct run {
    bool running, open;
    uint32_t clients, window;
    uint64_t jobs, started, stop, last_answer;
    uint64_t sent, answered, wrong, closed;
    char first_wrong[400];
    uint64_t histogram[BUCKETS];
};

static struct question *questions;
static size_t question_count;
static uint64_t next_question;
static struct client *clients;
static uint32_t client_count;
static uint32_t opened, handshakes;
static bool v1;
static uint64_t patience; /* seconds */
static int poller;
static struct run run;
static uint64_t random_state = 88172645463325252u;
static unsigned char incoming[BUFFER + 16];
static unsigned char outgoing[BUFFER];

static _Noreturn void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

/* xorshift: the servers cannot tell it from anything better */
static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        die("out of memory");
    return memory;
}

static void keep(struct bytes *bytes, const unsigned char *data, size_t length)
{
    if (bytes->room < bytes->length + length) {
        bytes->room = (bytes->length + length) * 2;
        bytes->data = realloc(bytes->data, bytes->room);
        if (!bytes->data)
            die("out of memory");
    }
    memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
}

/* ---- histogram: buckets of 1 us below 128, then 64 between a power of two and the next ---- */

static uint32_t bucket(uint64_t us)
{
    if (us < 2 * HALF)
        return (uint32_t)us;
    int shift = 63 - __builtin_clzll(us) - 6;
    uint32_t index = (uint32_t)(HALF * (shift + 1)) + (uint32_t)(us >> shift) - HALF;
    return index < BUCKETS ? index : BUCKETS - 1;
}

/* the least value of a bucket */
static uint64_t floor_of(uint32_t index)
{
    if (index < 2 * HALF)
        return index;
    return (uint64_t)(HALF + index % HALF) << (index / HALF - 1);
}

static uint64_t quantile(const uint32_t *histogram, uint64_t count, double share)
{
    uint64_t wanted = (uint64_t)((double)count * share), seen = 0;
    for (uint32_t i = 0; i < BUCKETS; i++)
        if ((seen += histogram[i]) > wanted)
            return floor_of(i);
    return 0;
}

/* ---- JSON: just enough to find a member of an object ---- */

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

/* behind the string that begins here */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : end;
}

/* behind the value that begins here */
static const char *skip_value(const char *at, const char *end)
{
    int depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
            if (!depth)
                return at;
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']') {
            if (depth <= 1)
                return at + depth;
            depth--;
        } else if (*at == ',' && !depth)
            return at;
        at++;
    }
    return end;
}

/* the value of this member of the object that begins here; NULL if it has none */
static const char *member(const char *at, const char *end, const char *name)
{
    size_t length = strlen(name);
    if (!at || at >= end || *at != '{')
        return NULL;
    at = skip_blanks(at + 1, end);
    while (at < end && *at == '"') {
        const char *key = at + 1;
        at = skip_string(at, end);
        bool found = (size_t)(at - key) == length + 1 && !memcmp(key, name, length);
        at = skip_blanks(at, end);
        if (at >= end || *at != ':')
            return NULL;
        at = skip_blanks(at + 1, end);
        if (found)
            return at < end ? at : NULL;
        at = skip_blanks(skip_value(at, end), end);
        if (at < end && *at == ',')
            at = skip_blanks(at + 1, end);
    }
    return NULL;
}

static bool begins(const char *at, const char *end, const char *text)
{
    size_t length = strlen(text);
    return at && (size_t)(end - at) >= length && !memcmp(at, text, length);
}

static const char *read_integer(const char *at, const char *end, uint64_t *value)
{
    const char *first = at;
    for (*value = 0; at && at < end && *at >= '0' && *at <= '9'; at++)
        *value = *value * 10 + (uint64_t)(*at - '0');
    return at == first ? NULL : at;
}

/* ---- frames out ---- */

static void watch(struct client *client, bool out)
{
    if (client->wants_out == out)
        return;
    struct epoll_event event = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = client};
    epoll_ctl(poller, EPOLL_CTL_MOD, client->descriptor, &event);
    client->wants_out = out;
}

static void lose(struct client *client)
{
    if (client->state != OPEN)
        die("a handshake failed: the server closed the connection");
    close(client->descriptor);
    client->state = CLOSED;
    run.closed++;
}

static void send_all(struct client *client, const unsigned char *data, size_t length)
{
    if (client->state == CLOSED)
        return;
    ssize_t written = 0;
    if (!client->out.length) {
        written = write(client->descriptor, data, length);
        if (written < 0 && errno != EAGAIN) {
            lose(client);
            return;
        }
        if (written < 0)
            written = 0;
    }
    if ((size_t)written < length) {
        keep(&client->out, data + written, length - (size_t)written);
        watch(client, true);
    }
}

static void flush(struct client *client)
{
    ssize_t written = write(client->descriptor, client->out.data, client->out.length);
    if (written < 0 && errno != EAGAIN) {
        lose(client);
        return;
    }
    if (written > 0) {
        client->out.length -= (size_t)written;
        memmove(client->out.data, client->out.data + written, client->out.length);
    }
    if (!client->out.length)
        watch(client, false);
}

/* a masked frame of fewer than 126 bytes; returns its length */
static size_t frame(unsigned char *to, unsigned char opcode, const char *payload, size_t length)
{
    uint32_t random = (uint32_t)draw();
    unsigned char mask[4];
    memcpy(mask, &random, 4);
    to[0] = 0x80 | opcode;
    to[1] = 0x80 | (unsigned char)length;
    memcpy(to + 2, mask, 4);
    for (size_t i = 0; i < length; i++)
        to[6 + i] = (unsigned char)payload[i] ^ mask[i & 3];
    return length + 6;
}

static char *append(char *to, const char *text, size_t length)
{
    memcpy(to, text, length);
    return to + length;
}

/* another question of this client; returns the length of its frame */
static size_t ask(struct client *client, unsigned char *to, uint64_t since)
{
    uint64_t sequence = ++client->sequence;
    uint32_t index = v1 ? client->free[run.window - 1 - client->in_flight] : (uint32_t)(sequence % run.window);
    uint32_t chosen = (uint32_t)(next_question++ % question_count); /* in turn: none is in flight twice */
    const struct question *question = &questions[chosen];
    client->slots[index] = (struct slot){since, sequence, chosen};
    client->in_flight++;
    run.sent++;
    if (!v1)
        return frame(to, 1, question->digits, question->length);

    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":", middle[] = ",\"method\":\"is_prime\",\"params\":{\"number\":\"";
    char text[FRAME], digits[20];
    int count = 0;
    for (uint64_t id = sequence * MOST_IN_FLIGHT + index; id; id /= 10)
        digits[count++] = (char)('0' + id % 10);
    char *end = append(text, head, sizeof head - 1);
    while (count)
        *end++ = digits[--count];
    end = append(end, middle, sizeof middle - 1);
    end = append(end, question->digits, question->length);
    end = append(end, "\"}}", 3);
    return frame(to, 1, text, (size_t)(end - text));
}

/* ---- answers ---- */

static void complain(const char *what, const char *payload, size_t length)
{
    if (run.wrong++)
        return;
    int used = snprintf(run.first_wrong, sizeof run.first_wrong, "%s: ", what);
    for (size_t i = 0; i < length && i < 200; i++) {
        char c = payload[i];
        if (c == '"' || c == '\\')
            run.first_wrong[used++] = '\'';
        else
            run.first_wrong[used++] = c >= ' ' && c < 127 ? c : '?';
    }
    run.first_wrong[used] = 0;
}

/* the answer to what this slot holds came */
static void settle(struct client *client, uint32_t index, uint64_t at)
{
    struct slot *slot = &client->slots[index];
    uint64_t us = (at > slot->since ? at - slot->since : 0) / 1000;
    run.histogram[bucket(us)]++;
    if (client->histogram)
        client->histogram[bucket(us)]++;
    slot->sequence = 0;
    client->in_flight--;
    client->answered++;
    run.answered++;
    run.last_answer = at;
    if (v1)
        client->free[run.window - 1 - client->in_flight] = (uint16_t)index;
}

static void hear_plain(struct client *client, const char *payload, size_t length, uint64_t at)
{
    if (!client->in_flight) {
        complain("an answer that nobody asked for", payload, length);
        return;
    }
    uint32_t index = (uint32_t)((client->sequence - client->in_flight + 1) % run.window);
    const struct question *question = &questions[client->slots[index].question];
    const char *expected = question->prime ? PRIME : COMPOSITE;
    if (length != strlen(expected) || memcmp(payload, expected, length)) {
        char what[80];
        snprintf(what, sizeof what, "%s %s, got", question->digits, expected);
        complain(what, payload, length);
    }
    settle(client, index, at);
}

/* a notification: `session` comes first and once, `progress` when the server is slow */
static void hear_notification(struct client *client, const char *payload, const char *end)
{
    const char *method = member(payload, end, "method");
    if (begins(method, end, "\"session\"") && !client->greeted)
        client->greeted = true;
    else if (!begins(method, end, "\"progress\""))
        complain("neither an answer nor progress", payload, (size_t)(end - payload));
}

/* offsets grow within an epoch, and epochs grow */
static bool advances(struct client *client, const char *offset, const char *end)
{
    uint64_t epoch, number;
    const char *dash = offset && *offset == '"' ? read_integer(offset + 1, end, &epoch) : NULL;
    if (!dash || dash >= end || *dash != '-' || !read_integer(dash + 1, end, &number))
        return false;
    bool grows = epoch > client->epoch || (epoch == client->epoch && number > client->offset);
    client->epoch = epoch;
    client->offset = number;
    return grows;
}

static void hear_v1(struct client *client, const char *payload, size_t length, uint64_t at)
{
    const char *end = payload + length, *id_text = member(payload, end, "id");
    if (!id_text) {
        hear_notification(client, payload, end);
        return;
    }
    uint64_t id;
    uint32_t index;
    if (!read_integer(id_text, end, &id) || (index = (uint32_t)(id % MOST_IN_FLIGHT)) >= run.window || !client->slots ||
        client->slots[index].sequence != id / MOST_IN_FLIGHT || !client->slots[index].sequence) {
        complain("an answer that nobody waits for", payload, length);
        return;
    }
    const struct question *question = &questions[client->slots[index].question];
    const char *result = member(payload, end, "result");
    if (!client->greeted)
        complain("an answer before the session", payload, length);
    else if (!begins(member(result, end, "verdict"), end, question->prime ? "\"prime\"" : "\"composite\"")) {
        char what[80];
        snprintf(what, sizeof what, "%s %s, got", question->digits, question->prime ? PRIME : COMPOSITE);
        complain(what, payload, length);
    } else if (!advances(client, member(result, end, "offset"), end))
        complain("an offset that does not grow", payload, length);
    settle(client, index, at);
}

/* ---- frames in ---- */

static bool has_header(const char *head, const char *name, const char *value)
{
    const char *line = strcasestr(head, name);
    return line && !strncmp(line + strlen(name), value, strlen(value)) && line[strlen(name) + strlen(value)] == '\r';
}

/* the server's part of the handshake; returns its length, 0 while it is not complete */
static size_t shake(struct client *client, unsigned char *data, size_t length)
{
    unsigned char *blank = memmem(data, length, "\r\n\r\n", 4);
    if (!blank)
        return 0;
    blank[3] = 0;
    const char *head = (const char *)data;
    if (strncmp(head, "HTTP/1.1 101 ", 13) || !has_header(head, "\r\nSec-WebSocket-Accept: ", ACCEPT))
        die("expected 101 and the key's proof, got %.200s", head);
    if (v1 && !has_header(head, "\r\nSec-WebSocket-Protocol: ", "primes.v1"))
        die("expected the subprotocol primes.v1, got %.400s", head);
    client->state = OPEN;
    opened++;
    handshakes--;
    return (size_t)(blank + 4 - data);
}

static void hear(struct client *client, unsigned char opcode, const char *payload, size_t length, uint64_t at)
{
    unsigned char pong[FRAME];
    if (opcode == 1)
        (v1 ? hear_v1 : hear_plain)(client, payload, length, at);
    else if (opcode == 9)
        send_all(client, pong, frame(pong, 10, payload, length));
    else if (opcode == 8)
        lose(client);
    else
        die("expected a text, a ping or the end, got a frame with opcode %d", opcode);
}

/* every whole frame; returns the bytes that they took */
static size_t hear_frames(struct client *client, const unsigned char *data, size_t length, uint64_t at)
{
    size_t done = 0;
    while (client->state == OPEN && length - done >= 2) {
        const unsigned char *head = data + done;
        size_t header = 2, size = head[1];
        if ((head[0] & 0xF0) != 0x80 || size > 127)
            die("expected a whole frame without extension or mask, got one that begins with %02x %02x", head[0], head[1]);
        if (size == 127)
            die("expected frames of less than 64 KiB");
        if (size == 126) {
            header = 4;
            if (length - done < header)
                break;
            size = (size_t)head[2] << 8 | head[3];
        }
        if (length - done < header + size)
            break;
        hear(client, head[0] & 0x0F, (const char *)head + header, size, at);
        done += header + size;
    }
    return done;
}

/* in a closed loop: as many questions as the window has room for, in one write */
static void ask_more(struct client *client, uint64_t at)
{
    size_t length = 0;
    while (client->in_flight < run.window && run.sent < run.jobs) {
        if (length > BUFFER - FRAME) {
            send_all(client, outgoing, length);
            length = 0;
        }
        length += ask(client, outgoing + length, at);
    }
    if (length)
        send_all(client, outgoing, length);
    if (run.sent == run.jobs && at < run.stop)
        run.stop = at; /* patience begins with the last question */
}

static void read_client(struct client *client)
{
    size_t length = client->in.length;
    memcpy(incoming, client->in.data ? client->in.data : incoming, length);
    ssize_t came = read(client->descriptor, incoming + length, BUFFER - length);
    if (came < 0 && errno == EAGAIN)
        return;
    if (came <= 0) {
        lose(client);
        return;
    }
    uint64_t at = now();
    length += (size_t)came;
    size_t done = client->state == SHAKING ? shake(client, incoming, length) : 0;
    if (client->state == OPEN)
        done += hear_frames(client, incoming + done, length - done, at);
    client->in.length = 0;
    if (done < length)
        keep(&client->in, incoming + done, length - done);
    if (run.running && !run.open && client->slots && client->state == OPEN && at < run.stop)
        ask_more(client, at);
}

/* ---- connecting ---- */

static void start_handshake(struct client *client)
{
    int trouble = 0;
    socklen_t size = sizeof trouble;
    getsockopt(client->descriptor, SOL_SOCKET, SO_ERROR, &trouble, &size);
    if (trouble)
        die("cannot connect: %s", strerror(trouble));
    char request[512];
    int length = snprintf(request, sizeof request,
                          "GET /chatsocket HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                          KEY, v1 ? "Sec-WebSocket-Protocol: primes.v1\r\n" : "");
    client->state = SHAKING;
    watch(client, false);
    send_all(client, (unsigned char *)request, (size_t)length);
}

static void begin_connection(struct client *client, const struct sockaddr_in *address, const struct sockaddr_in *source)
{
    int on = 1;
    struct linger at_once = {1, 0}; /* leaves no port in TIME_WAIT: runs follow each other */
    client->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->descriptor < 0)
        die("cannot open a socket: %s", strerror(errno));
    setsockopt(client->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(client->descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    setsockopt(client->descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on); /* the port is chosen by both ends */
    if (source->sin_family && bind(client->descriptor, (const struct sockaddr *)source, sizeof *source))
        die("cannot connect from the source address: %s", strerror(errno));
    if (connect(client->descriptor, (const struct sockaddr *)address, sizeof *address) && errno != EINPROGRESS)
        die("cannot connect: %s", strerror(errno));
    client->wants_out = true;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = client};
    epoll_ctl(poller, EPOLL_CTL_ADD, client->descriptor, &event);
    handshakes++;
}

/* Waits for events for so many ms and handles them; returns whether standard input or the clock was among them. */
static bool turn(int ms)
{
    struct epoll_event events[256];
    int count = epoll_wait(poller, events, 256, ms);
    bool other = false;
    if (count < 0 && errno != EINTR)
        die("epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        struct client *client = events[i].data.ptr;
        if (!client) {
            other = true;
            continue;
        }
        if (client->state == CONNECTING && events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
            start_handshake(client);
            continue;
        }
        if (events[i].events & EPOLLOUT && client->out.length)
            flush(client);
        if (client->state != CLOSED && events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
            read_client(client);
    }
    return other;
}

static void read_address(const char *host, int port, struct sockaddr_in *address)
{
    address->sin_family = AF_INET;
    address->sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, host, &address->sin_addr) != 1)
        die("expected an IPv4 address, got %s", host);
}

/* from: an address, or NULL */
static void connect_all(const char *host, int port, double rate, const char *from)
{
    struct sockaddr_in address = {0}, source = {0};
    read_address(host, port, &address);
    if (from)
        read_address(from, 0, &source);
    uint64_t started = now();
    uint32_t begun = 0;
    while (opened < client_count) {
        double elapsed = (double)(now() - started) / (double)SECOND;
        if (elapsed > (double)patience)
            die("%" PRIu32 " of %" PRIu32 " sockets open after %" PRIu64 " s", opened, client_count, patience);
        while (begun < client_count && handshakes < HANDSHAKES && (rate <= 0 || begun < elapsed * rate + 1))
            begin_connection(&clients[begun++], &address, &source);
        turn(rate > 0 ? 1 : 100);
    }
    printf("{\"connected\": %" PRIu32 ", \"seconds\": %.6f}\n", opened, (double)(now() - started) / (double)SECOND);
    fflush(stdout);
}

/* ---- runs ---- */

static double cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void begin_run(uint32_t active, uint32_t window, uint64_t jobs, double seconds, bool open)
{
    if (!active || active > client_count || !window || window > MOST_IN_FLIGHT || seconds < 0 || seconds > 600)
        die("expected 1 to %" PRIu32 " clients, a window of 1 to %d and up to 600 s", client_count, MOST_IN_FLIGHT);
    memset(&run, 0, sizeof run);
    run.running = true;
    run.open = open;
    run.clients = active;
    run.window = window;
    run.jobs = jobs;
    for (uint32_t i = 0; i < active; i++) {
        struct client *client = &clients[i];
        client->answered = client->in_flight = 0;
        client->slots = allocate(window, sizeof *client->slots);
        if (active <= MOST_MEASURED)
            client->histogram = allocate(BUCKETS, sizeof *client->histogram);
        client->free = allocate(window, sizeof *client->free);
        for (uint32_t slot = 0; slot < window; slot++)
            client->free[slot] = (uint16_t)slot;
    }
    run.started = run.last_answer = now();
    run.stop = run.started + (uint64_t)(seconds * (double)SECOND);
}

static void report(double used)
{
    printf("{\"sent\": %" PRIu64 ", \"answered\": %" PRIu64 ", \"wrong\": %" PRIu64 ", \"missing\": %" PRIu64 ", \"closed\": %" PRIu64,
           run.sent, run.answered, run.wrong, run.sent - run.answered, run.closed);
    printf(", \"seconds\": %.6f, \"cpu_us\": %.0f, \"first_wrong\": \"%s\", \"histogram\": [",
           (double)(run.last_answer - run.started) / (double)SECOND, used, run.first_wrong);
    const char *comma = "";
    for (uint32_t i = 0; i < BUCKETS; i++)
        if (run.histogram[i]) {
            printf("%s[%" PRIu64 ", %" PRIu64 "]", comma, floor_of(i), run.histogram[i]);
            comma = ", ";
        }
    printf("], \"clients\": [");
    comma = "";
    for (uint32_t i = 0; i < run.clients && run.clients <= MOST_MEASURED; i++) {
        const struct client *client = &clients[i];
        printf("%s[%" PRIu64 ", %" PRIu64 ", %" PRIu64 "]", comma, client->answered,
               quantile(client->histogram, client->answered, 0.5), quantile(client->histogram, client->answered, 0.99));
        comma = ", ";
    }
    printf("]}\n");
    fflush(stdout);
}

static void end_run(double used)
{
    /* what comes unasked after the last answer would come soon */
    uint64_t quiet = now() + SECOND / 20;
    while (now() < quiet)
        turn(10);
    report(used);
    if (run.wrong || run.closed || run.sent != run.answered)
        exit(1);
    run.running = false;
    for (uint32_t i = 0; i < run.clients; i++) {
        free(clients[i].slots);
        free(clients[i].free);
        free(clients[i].histogram);
        clients[i].slots = NULL;
        clients[i].free = NULL;
        clients[i].histogram = NULL;
    }
}

static bool unanswered(void)
{
    return run.answered < run.sent && now() < run.stop + patience * SECOND;
}

static void run_closed(uint32_t active, uint32_t window, double seconds, uint64_t jobs)
{
    begin_run(active, window, jobs, seconds, false);
    double before = cpu();
    for (uint32_t i = 0; i < active; i++) {
        ask_more(&clients[i], now());
        turn(0); /* else the first answers would wait for the last question */
    }
    while (!run.closed && (unanswered() || (now() < run.stop && run.sent < run.jobs)))
        turn(100);
    end_run(cpu() - before);
}

static void run_open(uint32_t active, double rate, double seconds)
{
    if (rate <= 0 || rate * seconds > 1e8)
        die("expected a rate above 0 and up to 10^8 questions");
    begin_run(active, 1024, UINT64_MAX, seconds, true);
    uint64_t jobs = (uint64_t)(rate * seconds);
    double before = cpu();
    int clock = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (clock < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, clock, &event))
        die("no timer: %s", strerror(errno));
    while (!run.closed && run.sent < jobs) {
        uint64_t due = run.started + (uint64_t)((double)run.sent * (double)SECOND / rate);
        if (due <= now()) {
            struct client *client = &clients[run.sent % active];
            if (client->in_flight == run.window)
                die("%" PRIu32 " questions of a client are unanswered: the server does not keep up", run.window);
            send_all(client, outgoing, ask(client, outgoing, due));
            turn(0);
            continue;
        }
        struct itimerspec time = {.it_value = {(time_t)(due / SECOND), (long)(due % SECOND)}};
        timerfd_settime(clock, TFD_TIMER_ABSTIME, &time, NULL); /* takes back that it has expired, too */
        turn(1000);
    }
    close(clock);
    while (!run.closed && unanswered())
        turn(100);
    end_run(cpu() - before);
}

static void obey(const char *line)
{
    uint32_t active, window;
    uint64_t jobs;
    double rate, seconds;
    if (sscanf(line, "closed %" SCNu32 " %" SCNu32 " %lf %" SCNu64, &active, &window, &seconds, &jobs) == 4)
        run_closed(active, window, seconds, seconds > 0 ? jobs : (uint64_t)active * window);
    else if (sscanf(line, "open %" SCNu32 " %lf %lf", &active, &rate, &seconds) == 3)
        run_open(active, rate, seconds);
    else
        die("expected closed CLIENTS WINDOW SECONDS JOBS or open CLIENTS RATE SECONDS, got %s", line);
}

/* one line at a time, since each is answered before the next; answers pings meanwhile */
static void serve(void)
{
    char line[200];
    size_t length = 0;
    for (;;) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
        epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event);
        while (!turn(1000))
            ;
        epoll_ctl(poller, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
        ssize_t came = read(STDIN_FILENO, line + length, sizeof line - 1 - length);
        if (came <= 0)
            return;
        if (run.closed || run.wrong)
            die("idle, %" PRIu64 " sockets were closed by the server, %" PRIu64 " messages came: %s", run.closed, run.wrong, run.first_wrong);
        length += (size_t)came;
        line[length] = 0;
        if (line[length - 1] == '\n') {
            obey(line);
            length = 0;
        } else if (length == sizeof line - 1)
            die("expected a line of less than %zu bytes", sizeof line);
    }
}

static void read_questions(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        die("%s: %s", path, strerror(errno));
    size_t room = 0;
    char digits[21];
    int prime;
    while (fscanf(file, "%20[0-9] %d ", digits, &prime) == 2) {
        if (question_count == room) {
            room = room ? room * 2 : 1024;
            questions = realloc(questions, room * sizeof *questions);
            if (!questions)
                die("out of memory");
        }
        struct question *question = &questions[question_count++];
        memcpy(question->digits, digits, sizeof digits);
        question->length = (uint8_t)strlen(digits);
        question->prime = prime;
    }
    if (!question_count || !feof(file))
        die("%s: expected lines of a number and 0 or 1; line %zu is none", path, question_count + 1);
    fclose(file);
}

int main(int count, char **arguments)
{
    if (count == 2 && !strcmp(arguments[1], "--help")) {
        fputs(USAGE, stdout);
        return 0;
    }
    if (count < 8 || count > 9 || (strcmp(arguments[3], "plain") && strcmp(arguments[3], "v1"))) {
        fputs(USAGE, stderr);
        return 2;
    }
    v1 = !strcmp(arguments[3], "v1");
    read_questions(arguments[4]);
    next_question = now() / 1000; /* not always the first ones */
    int wanted = atoi(arguments[5]);
    if (wanted < 1 || wanted > MOST_CLIENTS)
        die("expected 1 to %d clients, got %s", MOST_CLIENTS, arguments[5]);
    client_count = (uint32_t)wanted;
    patience = strtoull(arguments[7], NULL, 10);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    clients = allocate(client_count, sizeof *clients);
    poller = epoll_create1(EPOLL_CLOEXEC);
    connect_all(arguments[1], atoi(arguments[2]), atof(arguments[6]), count == 9 ? arguments[8] : NULL);
    serve();
    return 0;
}
