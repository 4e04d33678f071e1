// A lease file that is read to its end, then followed: what is appended, and the file that takes its place when
// the server rewrites it (another inode, or shorter than it was). Polled, because the servers replace their
// files by renaming and the folder may be a network's.
#pragma once

#include "dhcp_lease.h"

struct dhcp_follow;

enum dhcp_format { DHCP_KEA, DHCP_ISC };

// `store` and `counts` are borrowed, texts copied. Nothing is read yet. NULL: out of memory.
struct dhcp_follow *dhcp_follow_new(const char *path, enum dhcp_format format,
                                    const struct dhcp_naming *naming, struct lease_store *store,
                                    struct dhcp_counts *counts);
void dhcp_follow_free(struct dhcp_follow *f);

// Everything that is there now, the files a cleanup left beside it first (Kea's .2, .completed, .1). -ENOENT:
// no such file; another negative errno.
int dhcp_follow_read_all(struct dhcp_follow *f, int64_t now_ms);
// What came since, a slice of it at most. 1: more is there; 0: at the end; negative errno: call again later.
int dhcp_follow_poll(struct dhcp_follow *f, int64_t now_ms);
const char *dhcp_follow_path(const struct dhcp_follow *f);
