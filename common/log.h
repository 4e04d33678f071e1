// Log lines of a program: one line an event, to standard error (with a level prefix that systemd's
// journal understands) or to syslog. Never a line a packet: hostile input is counted, not logged.
#pragma once

#include <stdarg.h>
#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

// `name` is the program's; the string is borrowed for good. Called once, before any other.
void log_open(const char *name);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
const char *log_level_name(enum log_level level); // "error", "warning", "info", "debug"
void log_set_times(bool on); // UTC time in front of each line, but not under the journal
int log_level_parse(const char *text, enum log_level *out); // -EINVAL

// Control characters in the formatted text are written as \xNN: a line stays a line.
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
