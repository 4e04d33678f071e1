// Why a party has a verdict, or none: one sentence, then for each class in question the sum as policy
// made it, piece by piece.
//
//   {"v":1,"who":"line:7","sentence":...,"at":...,"known":true,"party":...,"subscriber":...,
//    "also_at":[{"subscriber","party"}] of an address, where else it is somebody's,"role":...,
//    "first_row":...,"last_row":...,"rules_version":...,"conf_hash":...,"open_verdicts":[ids],
//    "classes":[{"class","prior","log_odds","score","opens_at","families","verdict":id or null,
//                "why_not":text or null,"ceiling","limitations":[...],"sum":"text","evidence":[...],
//                of an open one "as_of","supported","closes", and "sum_now" when nothing supports it now}],
//    "closed":{"verdict","class","opened","closed"} the one that was closed last, or null,
//    "not_visible":[{"detector","why"}] of the site, "unread":{...} of this party (unread.h), or null}
#pragma once

#include "common/json.h"
#include "engine.h"

// `who`: a party's text or an address of it (192.0.2.7, vlan:101/192.0.2.7, 192.0.2.7:1024-2047). An address without
// a realm is looked for in the sensor's own, then in all; where several have it the answer names them. At `now_ms`, in
// the engine's time. A new reference; NULL: `who` is neither, or out of memory.
json_t *explain(const struct engine *e, const char *who, int64_t now_ms);
