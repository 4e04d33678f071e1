// Status documents read from a file, and texts from outside put into one: a document made of any
// texts is one that is read again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_read(const char *path, const uint8_t *data, size_t size, int fd)
{
    json_t *j = NULL;
    char error[160] = "";
    if (write(fd, data, size) != (ssize_t)size)
        return;
    int rc = control_status_read(path, &j, error);
    if ((rc == 0) != (j != NULL) || (rc != 0) != (error[0] != '\0'))
        abort();
    json_decref(j);
}

static void check_made_of(const char *path, const char *text)
{
    struct control_status *s = control_status_new(text);
    json_t *j = NULL;
    char error[160];
    if (!s)
        return;
    control_status_conf_hash(s, text);
    control_status_counter(s, text, strlen(text));
    control_status_skipped(s, text, 1);
    control_status_problem(s, 1, text, text, text);
    control_status_not_visible(s, text, text);
    control_status_input(s, text, "whole", text);
    FILE *out = fopen(path, "w");
    json_t *own = control_status_json(s);
    if (!out || !own || json_write_line(out, own) != 0)
        abort();
    fclose(out);
    if (control_status_read(path, &j, error) != 0 || !json_equal(j, own))
        abort();
    json_decref(j);
    json_decref(own);
    control_status_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("status", MFD_CLOEXEC);
    char *text = malloc(size + 1);
    if (fd >= 0 && text) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        memcpy(text, data, size);
        text[size] = '\0';
        check_read(path, data, size, fd);
        check_made_of(path, text);
    }
    free(text);
    if (fd >= 0)
        close(fd);
    return 0;
}
