/* The floor: the least that a chat server can do.  Lines go to all members of the sender's room,
 * the sender included.  All input of one turn of the loop is sent with one send for each member.
 * "/join N" moves the sender into room N and is answered "joined".  Data that a reader does not take
 * is lost to it.
 *
 *     floor PORT
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 65536, ROOMS = 4096, CHUNK = 65536, BUFFER = 4 * 1024 * 1024, EVENTS = 1024 };

struct client { int room, place; size_t kept; char rest[512]; };
struct room { int *members; int count, space; char *news; size_t size; };

static struct client *clients[CLIENTS];
static struct room rooms[ROOMS];
static int dirty[ROOMS], dirty_count;

static void leave(int fd)
{
    struct client *c = clients[fd];
    if (c->room < 0)
        return;
    struct room *r = &rooms[c->room];
    int last = r->members[--r->count];
    r->members[c->place] = last;
    clients[last]->place = c->place;
    c->room = -1;
}

static void join(int fd, int number)
{
    leave(fd);
    struct room *r = &rooms[number % ROOMS];
    if (r->count == r->space) {
        r->space = r->space ? 2 * r->space : 16;
        r->members = realloc(r->members, r->space * sizeof(int));
    }
    clients[fd]->room = number % ROOMS;
    clients[fd]->place = r->count;
    r->members[r->count++] = fd;
    send(fd, "joined\n", 7, MSG_NOSIGNAL);
}

static void flush_room(struct room *r)
{
    for (int i = 0; i < r->count; i++)
        send(r->members[i], r->news, r->size, MSG_NOSIGNAL | MSG_DONTWAIT);
    r->size = 0;
}

static void say(struct client *c, const char *text, size_t size)
{
    if (c->room < 0 || !size)
        return;
    struct room *r = &rooms[c->room];
    if (!r->news)
        r->news = malloc(BUFFER);
    if (r->size + size > BUFFER)
        flush_room(r);
    if (!r->size)
        dirty[dirty_count++] = c->room;
    memcpy(r->news + r->size, text, size);
    r->size += size;
}

static void hang_up(int fd)
{
    leave(fd);
    free(clients[fd]);
    clients[fd] = NULL;
    close(fd);
}

static void hear(int fd)
{
    static char chunk[CHUNK + 512];
    struct client *c = clients[fd];
    memcpy(chunk, c->rest, c->kept);
    ssize_t got = recv(fd, chunk + c->kept, CHUNK, MSG_DONTWAIT);
    if (got <= 0) {
        hang_up(fd);
        return;
    }
    size_t size = c->kept + got;
    char *end = memrchr(chunk, '\n', size);
    size_t whole = end ? (size_t)(end - chunk) + 1 : 0;
    c->kept = size - whole < sizeof c->rest ? size - whole : 0;
    memcpy(c->rest, chunk + whole, c->kept);
    if (whole > 6 && !memcmp(chunk, "/join ", 6))
        join(fd, atoi(chunk + 6));
    else
        say(c, chunk, whole);
}

static void take_in(int listening, int epoll)
{
    int fd, yes = 1;
    while ((fd = accept(listening, NULL, NULL)) >= 0 && fd < CLIENTS) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        clients[fd] = calloc(1, sizeof(struct client));
        clients[fd]->room = -1;
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[argc - 1])) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int yes = 1, epoll = epoll_create1(0);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listening, (struct sockaddr *)&address, sizeof address) || listen(listening, 4096)) {
        perror("floor");
        return 1;
    }
    struct epoll_event event = { .events = EPOLLIN, .data.fd = listening }, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            if (events[i].data.fd == listening)
                take_in(listening, epoll);
            else
                hear(events[i].data.fd);
        while (dirty_count)
            flush_room(&rooms[dirty[--dirty_count]]);
    }
}
