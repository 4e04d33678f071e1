// Places of a journal that could not be used, for the people who have to mend it: kept as numbers while
// reading, worded when asked for. Bounded: a disk full of noise does not fill the memory too.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/journal_format.h"

static const char *const texts[] = {
    [JOURNAL_FAULT_SEGMENT] =
        "no journal segment begins here, the whole file was passed over; restore "
        "it from a copy, or move it away and accept the gap",
    [JOURNAL_FAULT_VERSION] =
        "written in another version of the format; read it with the version of "
        "Postern that wrote it",
    [JOURNAL_FAULT_NO_KEY] = "encrypted, and no keys are given; set collector.journal_keys",
    [JOURNAL_FAULT_OTHER_KEY] =
        "encrypted with another key than its day's; put the right key file back",
    [JOURNAL_FAULT_HEADER] =
        "octets that are no block were passed over; restore the file from a copy, or "
        "accept the gap",
    [JOURNAL_FAULT_BLOCK] =
        "a block whose checksum or seal is wrong was passed over; restore the file "
        "from a copy, or accept the gap",
    [JOURNAL_FAULT_CHAIN] =
        "a block that cannot be read without a damaged one before it was passed over; "
        "restore the file from a copy, or accept the gap",
    [JOURNAL_FAULT_ENTRY] =
        "a block's entries cannot be read to its end; it was written by a faulty or "
        "newer program",
    [JOURNAL_FAULT_TORN] =
        "a last block that was not whole was cut off (a crash, or a full disk); its "
        "records come again from the sensors' spools",
    [JOURNAL_FAULT_FULL] = "the disk is full; make room, what waits is written then",
    [JOURNAL_FAULT_WRITE] = "cannot be written; see to the disk and the folder's rights",
    [JOURNAL_FAULT_EMPTY] =
        "the file is empty though a later segment follows it; restore it from a copy, or accept "
        "the gap",
    [JOURNAL_FAULT_NAME] =
        "the file was renamed, its header names another segment; it was read where it stands; "
        "give it its name back",
    [JOURNAL_FAULT_COPY] = "a copy of another segment of this folder, passed over; move it away",
    [JOURNAL_FAULT_MISSING] =
        "missing, though it was written and retention did not remove it; restore it from a copy, "
        "or accept the gap: make an empty file of this name with .out behind it",
    [JOURNAL_FAULT_CUT] =
        "the file ends here, and was longer when the last block was written to it; restore it from "
        "a copy, or accept the gap",
    [JOURNAL_FAULT_LONGER] =
        "the file is longer than it was when the next was begun; restore it from a copy",
    [JOURNAL_FAULT_CHANGED] =
        "other blocks stand here than when the next segment was begun; restore the file from a "
        "copy",
    [JOURNAL_FAULT_ORDER] =
        "not written behind the segment that stands before it; move away what is no segment of "
        "this journal",
    [JOURNAL_FAULT_UNBEGUN] =
        "removed: it had no whole header (a crash as it was begun, or its content was lost)",
    [JOURNAL_FAULT_KEY_LOST] =
        "its day's key is gone from collector.journal_keys: what was written so far can be read "
        "by nobody; a new segment follows under a new key; put the key back if it was not "
        "deleted on purpose",
    [JOURNAL_FAULT_GONE] =
        "the segment was removed or replaced while it was written; a new one follows; restore it "
        "from a copy, or accept the gap",
    [JOURNAL_FAULT_FOLDER] =
        "the journal's folder was moved or removed while it was written; a new segment follows "
        "where the configuration says; bring the segments together again",
};

void journal_damage_add(struct journal_damage *d, enum journal_fault fault, uint32_t day,
                        uint32_t segment, uint64_t offset)
{
    if (d->count == JOURNAL_DAMAGE_KEPT) {
        d->more++;
        return;
    }
    d->place[(d->first + d->count) % JOURNAL_DAMAGE_KEPT] = (struct journal_place){
        .fault = (uint8_t)fault, .day = day, .segment = segment, .offset = offset};
    d->count++;
}

bool journal_damage_take(struct journal_damage *d, char out[static JOURNAL_DAMAGE_TEXT_MAX])
{
    if (d->count == 0 && d->more == 0)
        return false;
    if (d->count == 0) {
        snprintf(out, JOURNAL_DAMAGE_TEXT_MAX, "%llu more places that could not be used",
                 (unsigned long long)d->more);
        d->more = 0;
        return true;
    }
    const struct journal_place *p = &d->place[d->first];
    char name[JOURNAL_NAME_MAX];
    snprintf(out, JOURNAL_DAMAGE_TEXT_MAX, "%s, octet %llu: %s",
             journal_segment_name(p->day, p->segment, name), (unsigned long long)p->offset,
             texts[p->fault]);
    d->first = (d->first + 1) % JOURNAL_DAMAGE_KEPT;
    d->count--;
    return true;
}

// ---- Is it a journal at all?

int journal_tag_write(int dir)
{
    static const char text[] =
        "Postern journal, format 1. See journal(5) of Postern; do not add files.\n";
    struct stat st;
    if (fstatat(dir, JOURNAL_TAG, &st, 0) == 0)
        return 0;
    int fd = openat(dir, JOURNAL_TAG, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, text, sizeof text - 1);
    int rc = n == (ssize_t)sizeof text - 1 ? 0 : n < 0 ? -errno : -ENOSPC;
    close(fd);
    return rc;
}

int journal_check(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct stat st;
    uint32_t day = 0, number = 0;
    int rc = fstatat(fd, JOURNAL_TAG, &st, 0) == 0 ? 1 : journal_segment_find(fd, &day, &number);
    close(fd);
    return rc < 0 ? rc : rc == 0 ? -ENODATA : 0;
}

const char *journal_check_text(int rc)
{
    switch (-rc) {
    case ENOENT: return "no such folder; name the folder postern-collector writes with -j";
    case ENOTDIR: return "not a folder; name the folder postern-collector writes with -j";
    case ENODATA: return "no journal in this folder; name the one postern-collector writes with -j";
    case EACCES: return "not readable; give this user the right to read the journal's folder";
    default: return strerror(-rc);
    }
}
