// The service manager's notification socket (sd_notify(3)): one datagram a message. Written here in
// forty lines rather than linked: it is all that would be used of libsystemd, the protocol is promised to
// stay, and a library that every program loads (with what it loads in turn) is more to be shut in.
#include "common/daemon_parts.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void daemon_notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    if (len < 2 || len >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = '\0'; // the abstract name space
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    // A manager that does not listen changes nothing about the service.
    (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&to, size);
    close(fd);
}

void daemon_notify_status(const char *text)
{
    char line[256];
    int n = snprintf(line, sizeof line, "STATUS=%s", text);
    // A newline would begin another variable, and what is told may come from outside.
    for (int i = 0; i < n && line[i]; i++)
        if ((unsigned char)line[i] < ' ')
            line[i] = ' ';
    daemon_notify(line);
}

int64_t daemon_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    if (!usec || (pid && strtoll(pid, NULL, 10) != getpid()))
        return 0;
    char *end;
    errno = 0;
    long long v = strtoll(usec, &end, 10);
    if (errno != 0 || *end != '\0' || v < 2000)
        return 0;
    return v / 2000;
}
