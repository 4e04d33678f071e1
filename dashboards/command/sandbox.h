// What a stage gives up before it touches outside bytes: the network, new privileges, core dumps, and
// more than its share of memory and files.
#pragma once

// Called in the child, between fork and exec. What the kernel does not permit is left out (an
// unprivileged user may be refused name spaces), but for two things that always hold: no new
// privileges, and no socket but a local one. Negative errno when those cannot be had.
int sandbox_enter(void);
