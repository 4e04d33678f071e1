// Words of the configuration's errors: a value shown, and the word that was probably meant.
#include "common/conf_value.h"

#include <string.h>

const char *conf_quote(const char *text, char out[static 80])
{
    size_t n = 0;
    out[n++] = '"';
    for (; *text && n < 64; text++) {
        unsigned char c = (unsigned char)*text;
        unsigned char next = (unsigned char)text[1];
        if (c < 0x20 || c == 0x7f) {
            n += (size_t)snprintf(out + n, 80 - n, "\\x%02x", c);
        } else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
            // C1, which terminals obey as well.
            n += (size_t)snprintf(out + n, 80 - n, "\\xc2\\x%02x", next);
            text++;
        } else {
            out[n++] = *text;
        }
    }
    if (*text) {
        // Not in the middle of a UTF-8 character.
        while (n > 1 && ((unsigned char)out[n - 1] & 0xc0) == 0x80)
            n--;
        if ((unsigned char)out[n - 1] >= 0xc0)
            n--;
    }
    snprintf(out + n, 80 - n, "%s\"", *text ? "..." : "");
    return out;
}

// Edit distance with transpositions (optimal string alignment) of words below 64 octets.
static size_t distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    size_t row[3][64];
    if (la >= 64 || lb >= 64)
        return 64;
    size_t *before = row[0], *above = row[1], *now = row[2];
    for (size_t j = 0; j <= lb; j++)
        above[j] = before[j] = j;
    for (size_t i = 1; i <= la; i++) {
        now[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        size_t *free_row = before;
        before = above;
        above = now;
        now = free_row;
    }
    return above[lb];
}

const char *conf_nearest(const char *word, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t len = strlen(word);
    size_t least = len < 4 ? 2 : len / 3 + 2; // at least this far is another word
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(word, words[i]);
        if (d < least && d < strlen(words[i])) {
            least = d;
            nearest = words[i];
        }
    }
    return nearest;
}
