// `postern mailbox`: the key pair that seals names of own mailboxes, and the name behind a party. Who opens a
// name says what for; the purpose stands in the log.
#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/command.h"
#include "common/identity.h"
#include "common/log.h"
#include "common/mailbox_map.h"
#include "common/utf8.h"

static const struct command_option options[] = {
    {0, "map", "FILE",
     "name: where the sensor of the mail log keeps them (sensor.mail_log.mailbox_map)"},
    {0, "key", "FILE", "name: the secret key"},
    {0, "purpose", "TEXT", "name: what for; needed, and logged"},
    {0},
};

static int make_keys(const struct command_args *a)
{
    if (a->operand_count != 3) {
        fprintf(stderr, "postern mailbox: give two files, keys PUBLIC SECRET\n");
        return EX_USAGE;
    }
    int rc = mailbox_map_make_keys(a->operands[1], a->operands[2]);
    if (rc == 0)
        return 0;
    fprintf(
        stderr, "postern mailbox: %s, %s: %s%s\n", a->operands[1], a->operands[2], strerror(-rc),
        rc == -EEXIST ? "; what it sealed could not be opened any more, so it is left alone" : "");
    return EX_CANTCREAT;
}

// The name is a stranger's text until somebody has read it: what a terminal would obey stands as \\x1b, a backslash
// doubled, so that no two names look alike.
static void print_name(const char *name)
{
    for (size_t n; *name; name += n) {
        n = utf8_character(name);
        bool c1 = n == 2 && (uint8_t)name[0] == 0xc2 && (uint8_t)name[1] < 0xa0;
        if (n > 0 && !c1 && (uint8_t)*name >= 0x20 && *name != 0x7f) {
            fprintf(stdout, "%s%.*s", *name == '\\' ? "\\" : "", (int)n, name);
            continue;
        }
        n = n ? n : 1;
        for (size_t i = 0; i < n; i++)
            printf("\\x%02x", (uint8_t)name[i]);
    }
    putchar('\n');
}

static int say_name(const struct command_args *a)
{
    const char *map = command_value(a, "map"), *key = command_value(a, "key");
    const char *purpose = command_value(a, "purpose");
    if (a->operand_count != 2 || !map || !key || !purpose || !purpose[0]) {
        fprintf(stderr, "postern mailbox: name MAILBOX needs --map, --key and --purpose\n");
        return EX_USAGE;
    }
    struct subscriber_key subscriber;
    if (subscriber_key_parse(a->operands[1], &subscriber) != 0 ||
        subscriber.kind != SUBSCRIBER_MAILBOX) {
        fprintf(stderr,
                "postern mailbox: %s: no mailbox; write it as in the ticket, "
                "mailbox:1:00ff00ff00ff00ff\n",
                a->operands[1]);
        return EX_USAGE;
    }
    struct mailbox_map_keys keys;
    int rc = mailbox_map_load_secret(key, &keys);
    if (rc != 0) {
        fprintf(stderr, "postern mailbox: %s: %s\n", key,
                rc == -EPERM          ? "others may read it; chmod 600"
                : rc == -EKEYREJECTED ? "is the public key, which only seals; give the secret one"
                : rc == -EINVAL       ? "is no key file; it is made by: postern mailbox keys"
                                      : strerror(-rc));
        return EX_NOINPUT;
    }
    char name[MAILBOX_NAME_MAX + 1];
    struct keyed_hash hash = {KEYED_HASH_MAILBOX, subscriber.mailbox_key_id, subscriber.mailbox};
    rc = mailbox_map_find(map, &keys, &hash, name);
    if (rc == 1) {
        log_info("mailbox: the name of %s was opened for: %s", a->operands[1], purpose);
        print_name(name);
        return 0;
    }
    fprintf(stderr, "postern mailbox: %s: %s\n", map,
            rc < 0 ? strerror(-rc) : "does not hold this mailbox, or not for this key");
    return rc < 0 ? EX_NOINPUT : 1;
}

static int run(const struct command_args *a)
{
    if (strcmp(a->operands[0], "keys") == 0)
        return make_keys(a);
    if (strcmp(a->operands[0], "name") == 0)
        return say_name(a);
    fprintf(stderr, "postern mailbox: %s is not understood; keys or name\n", a->operands[0]);
    return EX_USAGE;
}

const struct command command_mailbox = {
    .name = "mailbox",
    .synopsis = "keys PUBLIC SECRET | name MAILBOX --map FILE --key FILE --purpose TEXT",
    .summary = "seal names of own mailboxes, and open one",
    .options = options,
    .operands_min = 1,
    .operands_max = 3,
    .run = run,
};
