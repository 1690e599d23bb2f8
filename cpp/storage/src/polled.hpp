#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <functional>

#include <ktrdr/base/result.hpp>
#include <ktrdr/storage/database.hpp>

namespace ktrdr {

/// Run `work`, which uses this connection, and ask `poll` now and then whether it is still wanted; an error of `poll`
/// ends what SQLite does, and is the answer.
[[nodiscard]] Result<void> polled(SQLite::Database& connection, const Database::Poll& poll,
                                  const std::function<Result<void>()>& work);

}  // namespace ktrdr
