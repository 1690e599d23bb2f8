#pragma once

#include <array>
#include <string_view>

namespace ktrdr {

/// How the tables came to be what they are; what is released is never changed, only added to.
inline constexpr std::array<std::string_view, 1> operation_migrations{R"sql(
-- A process, while it holds the byte of its name locked in this file.
CREATE TABLE owner(
    id TEXT PRIMARY KEY,
    pid INTEGER NOT NULL,
    started INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Times in nanoseconds since 1970 UTC. asked: the reason of a cancel that another process asked the owner for.
CREATE TABLE operation(
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    parent_id TEXT NOT NULL,
    parameters TEXT NOT NULL,
    status TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    resumable INTEGER NOT NULL,
    durable INTEGER NOT NULL,
    owner TEXT NOT NULL,
    created INTEGER NOT NULL,
    started INTEGER,
    cancel_requested INTEGER,
    cancel_observed INTEGER,
    stopped INTEGER,
    reason TEXT,
    progress TEXT NOT NULL,
    result TEXT,
    error TEXT,
    warnings TEXT NOT NULL,
    last_seq INTEGER NOT NULL,
    asked TEXT
) STRICT;
CREATE INDEX operation_by_time ON operation(created DESC, id DESC);
CREATE INDEX operation_by_type ON operation(type, created DESC);
CREATE INDEX operation_by_parent ON operation(parent_id) WHERE parent_id <> '';
CREATE INDEX operation_active ON operation(owner)
    WHERE status IN ('pending', 'running', 'cancelling', 'resuming');
CREATE INDEX operation_asked ON operation(owner) WHERE asked IS NOT NULL;

CREATE TABLE event(
    operation TEXT NOT NULL REFERENCES operation(id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY(operation, seq)
) STRICT, WITHOUT ROWID;
)sql"};

}  // namespace ktrdr
