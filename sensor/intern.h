// Small fixed-size values (a realm, a path of layers) given numbers, so that a flow holds four octets
// of them. A fixed table; a value nobody holds stays findable until its place is needed.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define INTERN_SIZE 48

// Padding is part of the value: fill it with zeros.
struct intern_value {
    uint8_t octet[INTERN_SIZE];
};

struct intern;

struct intern *intern_new(size_t count); // NULL: out of memory
void intern_free(struct intern *t);

// The number of a value, from 1; 0 when all places are held (counted).
uint32_t intern_get(struct intern *t, const struct intern_value *value);
// Number 0 may be held and dropped too, without effect.
void intern_hold(struct intern *t, uint32_t number);
void intern_drop(struct intern *t, uint32_t number);
// Borrowed until the number is dropped; all zero for number 0.
const struct intern_value *intern_value(const struct intern *t, uint32_t number);
uint64_t intern_refused(const struct intern *t);
