// Has this been seen already? A set of marks of fixed size that forgets the oldest: of a message whose arrival named
// no recipients each of them counts once, however often its delivery is put off.
//
// Two generations: the younger one takes new marks, and when it is full the elder is forgotten. So at least the
// latest `marks` are known, at most twice as many. Marks are hashes of 64 bits; two that are the same are one.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct mail_once;

struct mail_once *mail_once_new(uint32_t marks); // NULL: out of memory
void mail_once_free(struct mail_once *o);
// True: it is new; then it is remembered.
bool mail_once_add(struct mail_once *o, uint64_t mark);
