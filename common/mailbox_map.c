// See mailbox_map.h. libsodium's sealed boxes: whoever writes cannot read what was written.
#include "common/mailbox_map.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/timefmt.h"

#define SEALED_MAX (MAILBOX_NAME_MAX + crypto_box_SEALBYTES)
#define BASE64_MAX (SEALED_MAX / 3 * 4 + 8)
#define LINE_MAX_  (BASE64_MAX + 80)
#define NAMES_MAX  1000000

// ---- Keys.

#define WORD_OCTETS 7 // "public ", "secret ": two files that look alike are mistaken for each other
#define TEXT_OCTETS (WORD_OCTETS + 64)

static const char *word_of(bool secret)
{
    return secret ? "secret " : "public ";
}

static int write_key(const char *path, bool secret, const uint8_t key[static 32])
{
    char text[TEXT_OCTETS + 2];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, secret ? 0600 : 0644);
    if (fd < 0)
        return -errno;
    memcpy(text, word_of(secret), WORD_OCTETS);
    sodium_bin2hex(text + WORD_OCTETS, 65, key, 32);
    text[TEXT_OCTETS] = '\n';
    int rc = write(fd, text, TEXT_OCTETS + 1) == TEXT_OCTETS + 1 && fsync(fd) == 0 ? 0
             : errno                                                               ? -errno
                                                                                   : -EIO;
    sodium_memzero(text, sizeof text);
    if (close(fd) != 0 && rc == 0)
        rc = -errno;
    return rc;
}

int mailbox_map_make_keys(const char *public_path, const char *secret_path)
{
    struct mailbox_map_keys keys;
    if (sodium_init() < 0)
        return -EIO;
    crypto_box_keypair(keys.public_key, keys.secret_key);
    int rc = write_key(secret_path, true, keys.secret_key);
    if (rc == 0)
        rc = write_key(public_path, false, keys.public_key);
    sodium_memzero(&keys, sizeof keys);
    return rc;
}

static int parse_key(const char *text, bool secret, uint8_t out[static 32])
{
    size_t len = 0;
    if (strncmp(text, word_of(!secret), WORD_OCTETS) == 0)
        return -EKEYREJECTED;
    if (strncmp(text, word_of(secret), WORD_OCTETS) == 0)
        text += WORD_OCTETS;
    return strlen(text) == 64 && sodium_hex2bin(out, 32, text, 64, NULL, &len, NULL) == 0 &&
                   len == 32
               ? 0
               : -EINVAL;
}

static int read_key(const char *path, bool secret, uint8_t out[static 32])
{
    char text[TEXT_OCTETS + 16] = "";
    struct stat st;
    FILE *in = fopen(path, "re");
    if (!in)
        return -errno;
    int rc = fstat(fileno(in), &st) != 0 ? -errno : 0;
    if (rc == 0 && !fgets(text, sizeof text, in))
        rc = -EINVAL;
    fclose(in);
    text[strcspn(text, "\r\n")] = '\0';
    if (rc == 0)
        rc = parse_key(text, secret, out);
    if (rc == 0 && secret && (st.st_mode & 077) != 0)
        rc = -EPERM;
    sodium_memzero(text, sizeof text);
    return rc;
}

int mailbox_map_load_public(const char *path, struct mailbox_map_keys *out)
{
    return sodium_init() < 0 ? -EIO : read_key(path, false, out->public_key);
}

int mailbox_map_load_secret(const char *path, struct mailbox_map_keys *out)
{
    int rc = sodium_init() < 0 ? -EIO : read_key(path, true, out->secret_key);
    return rc == 0 && crypto_scalarmult_base(out->public_key, out->secret_key) != 0 ? -EINVAL : rc;
}

// ---- Lines.

struct line {
    struct keyed_hash hash;
    const char *sealed;
    size_t sealed_len;
};

// A number to its end mark; false: none.
static bool number(const char **at, int base, uint64_t max, char end, uint64_t *out)
{
    char *stop;
    if (!isxdigit((unsigned char)**at))
        return false;
    *out = strtoull(*at, &stop, base);
    if (*stop != end || *out > max)
        return false;
    *at = stop + 1;
    return true;
}

static bool parse(const char *text, struct line *out)
{
    uint64_t id, value;
    if (!number(&text, 10, 255, ' ', &id) || !number(&text, 16, UINT64_MAX, ' ', &value))
        return false;
    out->hash = (struct keyed_hash){KEYED_HASH_MAILBOX, (uint8_t)id, value};
    out->sealed = text;
    out->sealed_len = strcspn(text, " \n");
    return out->sealed_len > 0;
}

static uint64_t mark_of(const struct keyed_hash *h)
{
    return h->value ^ (uint64_t)h->key_id << 56;
}

// ---- Writing: the hashes known already, open addressing, 0 is free.

struct mailbox_map_writer {
    struct mailbox_map_keys keys;
    FILE *out;
    uint64_t *known;
    size_t room, count;
    uint64_t left_out;
};

// False: it was there.
static bool insert(uint64_t *table, size_t room, uint64_t mark)
{
    size_t at = (size_t)(mark * 0x9e3779b97f4a7c15u) & (room - 1);
    while (table[at] && table[at] != mark)
        at = (at + 1) & (room - 1);
    if (table[at] == mark)
        return false;
    table[at] = mark;
    return true;
}

// 1: new; 0: known; negative errno.
static int know(struct mailbox_map_writer *w, uint64_t mark)
{
    mark = mark ? mark : 1;
    if (w->count * 2 >= w->room) {
        size_t room = w->room ? w->room * 2 : 1024;
        uint64_t *more = calloc(room, sizeof *more);
        if (!more)
            return -ENOMEM;
        for (size_t i = 0; i < w->room; i++)
            if (w->known[i])
                insert(more, room, w->known[i]);
        free(w->known);
        w->known = more;
        w->room = room;
    }
    bool is_new = insert(w->known, w->room, mark);
    w->count += is_new;
    return is_new;
}

static int read_known(struct mailbox_map_writer *w, const char *path)
{
    char text[LINE_MAX_];
    struct line line;
    FILE *in = fopen(path, "re");
    if (!in)
        return errno == ENOENT ? 0 : -errno;
    int rc = 0;
    while (rc >= 0 && fgets(text, sizeof text, in))
        if (parse(text, &line) && w->count < NAMES_MAX)
            rc = know(w, mark_of(&line.hash));
    if (rc >= 0 && ferror(in))
        rc = -EIO;
    fclose(in);
    return rc < 0 ? rc : 0;
}

int mailbox_map_open(const char *path, const struct mailbox_map_keys *keys,
                     struct mailbox_map_writer **out)
{
    struct mailbox_map_writer *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    if (sodium_init() < 0) {
        free(w);
        return -EIO;
    }
    w->keys = *keys;
    int rc = read_known(w, path), fd = -1;
    if (rc == 0 && (fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640)) < 0)
        rc = -errno;
    if (rc == 0 && !(w->out = fdopen(fd, "a"))) {
        rc = -errno;
        close(fd);
    }
    if (rc < 0) {
        mailbox_map_close(w);
        return rc;
    }
    *out = w;
    return 0;
}

int mailbox_map_put(struct mailbox_map_writer *w, const struct keyed_hash *hash, struct span name,
                    int64_t t_ms)
{
    uint8_t sealed[SEALED_MAX];
    char text[BASE64_MAX], when[TIME_TEXT_MAX];
    if (w->count >= NAMES_MAX) {
        w->left_out++;
        return 0;
    }
    int rc = know(w, mark_of(hash));
    if (rc <= 0)
        return rc;
    name = span_cut(name, 0, MAILBOX_NAME_MAX);
    crypto_box_seal(sealed, name.data, name.len, w->keys.public_key);
    sodium_bin2base64(text, sizeof text, sealed, name.len + crypto_box_SEALBYTES,
                      sodium_base64_VARIANT_ORIGINAL);
    errno = 0;
    if (fprintf(w->out, "%u %016" PRIx64 " %s %s\n", hash->key_id, hash->value, text,
                time_format(t_ms, when)) < 0 ||
        fflush(w->out) != 0)
        return errno ? -errno : -EIO;
    return 0;
}

uint64_t mailbox_map_left_out(const struct mailbox_map_writer *w)
{
    return w->left_out;
}

int mailbox_map_close(struct mailbox_map_writer *w)
{
    if (!w)
        return 0;
    int rc = w->out && fclose(w->out) != 0 ? -errno : 0;
    free(w->known);
    free(w);
    return rc;
}

// ---- Reading.

// Length of the name; -1: not for this key, or broken.
static int unseal(const struct line *line, const struct mailbox_map_keys *keys,
                  char out[static MAILBOX_NAME_MAX + 1])
{
    uint8_t sealed[SEALED_MAX];
    size_t len = 0;
    if (sodium_base642bin(sealed, sizeof sealed, line->sealed, line->sealed_len, NULL, &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        len < crypto_box_SEALBYTES)
        return -1;
    if (crypto_box_seal_open((uint8_t *)out, sealed, len, keys->public_key, keys->secret_key) != 0)
        return -1;
    out[len - crypto_box_SEALBYTES] = '\0';
    return (int)(len - crypto_box_SEALBYTES);
}

int mailbox_map_find(const char *path, const struct mailbox_map_keys *keys,
                     const struct keyed_hash *hash, char out[static MAILBOX_NAME_MAX + 1])
{
    char text[LINE_MAX_];
    struct line line;
    int found = 0;
    FILE *in = fopen(path, "re");
    if (!in)
        return -errno;
    while (fgets(text, sizeof text, in))
        if (parse(text, &line) && mark_of(&line.hash) == mark_of(hash) &&
            unseal(&line, keys, out) >= 0)
            found = 1;
    if (ferror(in))
        found = -EIO;
    fclose(in);
    return found;
}
