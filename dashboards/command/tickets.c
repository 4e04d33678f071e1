// `postern tickets`: the tickets of a state folder, from the feed of their changes.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "command/command.h"
#include "command/outcome.h"
#include "command/stages.h"

static const char default_state[] = "/var/lib/postern";

static const struct command_option options[] = {
    {0, "state", "DIR", "folder with tickets.jsonl (default: /var/lib/postern)"},
    {0, "all", NULL, "closed tickets as well"},
    {0, "json", NULL, "one JSON object a ticket and line"},
    {0},
};

// Takes the closed ones out of the list; returns how many.
static size_t leave_out_closed(struct ticket_list *l)
{
    size_t open = 0, closed = 0;
    for (size_t i = 0; i < l->count; i++) {
        if (l->item[i].ticket.state == TICKET_CLOSED)
            closed++;
        else
            l->item[open++] = l->item[i];
    }
    l->count = open;
    return closed;
}

static int print_json(const struct ticket_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        json_t *o = ticket_entry_to_json(&l->item[i]);
        int rc = o ? json_write_line(stdout, o) : -ENOMEM;
        json_decref(o);
        if (rc != 0)
            return EX_IOERR;
    }
    return 0;
}

static int print_all(struct ticket_list *l, bool closed_too, bool json)
{
    size_t closed = closed_too ? 0 : leave_out_closed(l);
    if (json)
        return print_json(l);
    if (l->count == 0)
        puts(closed_too ? "No ticket." : "No open ticket.");
    ticket_list_print(l, stdout);
    if (closed > 0)
        printf("\n%zu closed (--all shows them)\n", closed);
    return 0;
}

static int run(const struct command_args *a)
{
    const char *state = command_has(a, "state") ? command_value(a, "state") : default_state;
    struct ticket_list list;
    char *path;
    if (asprintf(&path, "%s/" STATE_FEED, state) < 0)
        return EX_OSERR;
    FILE *feed = fopen(path, "re");
    if (!feed) {
        fprintf(stderr, "postern tickets: %s: %s; name the folder with --state\n", path,
                strerror(errno));
        free(path);
        return EX_NOINPUT;
    }
    int rc = ticket_list_read(&list, feed);
    fclose(feed);
    int status = EX_IOERR;
    if (rc < 0)
        fprintf(stderr, "postern tickets: %s: %s\n", path, strerror(-rc));
    else
        status = print_all(&list, command_has(a, "all"), command_has(a, "json"));
    if (status == 0 && list.broken_lines > 0) {
        fprintf(stderr, "postern tickets: %s: %zu lines are no change of a ticket; left out\n",
                path, list.broken_lines);
        status = EX_DATAERR;
    }
    ticket_list_free(&list);
    free(path);
    return status;
}

const struct command command_tickets = {
    .name = "tickets",
    .synopsis = "[--state DIR] [--all] [--json]",
    .summary = "lists the tickets of a state folder",
    .options = options,
    .run = run,
};
