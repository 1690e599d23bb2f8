#pragma once

#include <array>
#include <string_view>

namespace ktrdr {

/// How the tables came to be what they are; what is released is never changed, only added to.
inline constexpr std::array<std::string_view, 2> operation_migrations{R"sql(
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
)sql",
                                                                      R"sql(
-- A page of a list, of whatever type, state or parent, is read from one of these in its order.
DROP INDEX operation_by_type;
DROP INDEX operation_by_parent;
CREATE INDEX operation_by_kind ON operation(type, status, created DESC, id DESC);
CREATE INDEX operation_by_parent ON operation(parent_id, created DESC, id DESC, type, status) WHERE parent_id <> '';

-- How many there are, kept by triggers so that it holds whoever writes, and whatever: damage is counted too.
CREATE TABLE operation_count(
    type ANY NOT NULL,
    status ANY NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY(type, status)
) STRICT, WITHOUT ROWID;
INSERT INTO operation_count SELECT type, status, count(*) FROM operation GROUP BY type, status;
CREATE TRIGGER operation_added AFTER INSERT ON operation BEGIN
    INSERT INTO operation_count VALUES (new.type, new.status, 1) ON CONFLICT DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER operation_moved AFTER UPDATE OF type, status ON operation
    WHEN new.type IS NOT old.type OR new.status IS NOT old.status BEGIN
    UPDATE operation_count SET number = number - 1 WHERE type = old.type AND status = old.status;
    DELETE FROM operation_count WHERE type = old.type AND status = old.status AND number <= 0;
    INSERT INTO operation_count VALUES (new.type, new.status, 1) ON CONFLICT DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER operation_removed AFTER DELETE ON operation BEGIN
    UPDATE operation_count SET number = number - 1 WHERE type = old.type AND status = old.status;
    DELETE FROM operation_count WHERE type = old.type AND status = old.status AND number <= 0;
END;

-- About how many bytes the records and their events take, for a bound on all of them: one row.
CREATE TABLE operation_size(bytes INTEGER NOT NULL) STRICT;
INSERT INTO operation_size SELECT
    (SELECT coalesce(sum(400 + length(parameters) + length(progress) + length(warnings) + coalesce(length(result), 0) +
                         coalesce(length(error), 0)), 0) FROM operation) +
    (SELECT coalesce(sum(80 + length(data)), 0) FROM event);
CREATE TRIGGER operation_size_added AFTER INSERT ON operation BEGIN
    UPDATE operation_size SET bytes = bytes + 400 + length(new.parameters) + length(new.progress) +
        length(new.warnings) + coalesce(length(new.result), 0) + coalesce(length(new.error), 0);
END;
CREATE TRIGGER operation_size_changed AFTER UPDATE OF progress, warnings, result, error ON operation BEGIN
    UPDATE operation_size SET bytes = bytes + length(new.progress) - length(old.progress) +
        length(new.warnings) - length(old.warnings) + coalesce(length(new.result), 0) - coalesce(length(old.result), 0) +
        coalesce(length(new.error), 0) - coalesce(length(old.error), 0);
END;
CREATE TRIGGER operation_size_removed AFTER DELETE ON operation BEGIN
    UPDATE operation_size SET bytes = bytes - 400 - length(old.parameters) - length(old.progress) -
        length(old.warnings) - coalesce(length(old.result), 0) - coalesce(length(old.error), 0);
END;
-- What is kept by itself, whoever opens the file; without a row what the program says. At most one row.
CREATE TABLE operation_retention(
    one INTEGER PRIMARY KEY CHECK(one = 1),
    max_count INTEGER NOT NULL,
    max_age_hours INTEGER NOT NULL,
    max_bytes INTEGER NOT NULL
) STRICT;

CREATE TRIGGER event_size_added AFTER INSERT ON event BEGIN
    UPDATE operation_size SET bytes = bytes + 80 + length(new.data);
END;
CREATE TRIGGER event_size_removed AFTER DELETE ON event BEGIN
    UPDATE operation_size SET bytes = bytes - 80 - length(old.data);
END;
)sql"};

}  // namespace ktrdr
