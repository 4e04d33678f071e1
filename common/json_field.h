// Typed reading and writing of a JSON object's members, with one sticky error, for the formats of
// one object a line (verdict.h, ticket.h). What is read is outside input: a wrong type, a missing
// key or a value out of range is said by key name, nothing else happens.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/json.h"

struct json_fields {
    const json_t *object;
    char *error; // of 160 octets; "" while all is well
    bool failed;
};

// `error` is emptied. An `object` that is none fails at once.
struct json_fields json_fields_of(const json_t *object, char error[static 160]);

// Says what is wrong with `key`; the first such call wins.
void json_fields_fail(struct json_fields *f, const char *key, const char *what);

// Each leaves its output alone (or returns zero) after a failure.
void json_get_text(struct json_fields *f, const char *key, char *out, size_t size);
int64_t json_get_int(struct json_fields *f, const char *key, int64_t min, int64_t max);
double json_get_real(struct json_fields *f, const char *key, double min, double max);
bool json_get_bool(struct json_fields *f, const char *key);
// RFC 3339 to milliseconds; JSON null is 0.
int64_t json_get_time(struct json_fields *f, const char *key);
// Index of the member's text among the names 0..count-1.
uint8_t json_get_name(struct json_fields *f, const char *key, const char *(*name)(unsigned),
                      unsigned count);
// An array of names as bits; `name` gives the name of a bit, NULL when there is no such bit.
uint32_t json_get_bits(struct json_fields *f, const char *key, const char *(*name)(uint32_t));
const json_t *json_get_array(struct json_fields *f, const char *key, size_t max);

// Writers: false when memory is out. `value` is taken over, NULL counts as out of memory.
bool json_put(json_t *object, const char *key, json_t *value);
bool json_put_text(json_t *object, const char *key, const char *value);
bool json_put_int(json_t *object, const char *key, int64_t value);
bool json_put_time(json_t *object, const char *key, int64_t t_ms); // 0: null
bool json_put_bits(json_t *object, const char *key, uint32_t bits, const char *(*name)(uint32_t));
