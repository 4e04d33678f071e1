// Why a party has a verdict, or none: one sentence, then for each class in question the sum as policy
// made it, piece by piece.
//
//   {"v":1,"who":"line:7","sentence":...,"at":...,"known":true,"party":...,"subscriber":...,"role":...,
//    "first_row":...,"last_row":...,"rules_version":...,"conf_hash":...,"open_verdicts":[ids],
//    "classes":[{"class","prior","log_odds","score","opens_at","families","verdict":id or null,
//                "why_not":text or null,"ceiling","limitations":[...],"sum":"text","evidence":[...]}],
//    "not_visible":[{"detector","why"}]}
#pragma once

#include "common/json.h"
#include "engine.h"

// `who`: a party's text or an address of it. At `now_ms`, in the engine's time. A new reference; NULL: `who` is
// neither, or out of memory.
json_t *explain(const struct engine *e, const char *who, int64_t now_ms);
