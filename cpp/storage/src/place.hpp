#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <array>
#include <filesystem>
#include <string_view>

#include <ktrdr/base/result.hpp>

#include "held_file.hpp"

namespace ktrdr {

/// Where the file says it lies. SQLite keeps its log beside the name by which it opened the file, so all who open it
/// must do so by one name.
inline constexpr std::array<std::string_view, 1> place_migrations{R"sql(
CREATE TABLE place(path TEXT NOT NULL) STRICT;
)sql"};

/// The name to open the file by: this one, or the one that the file says where both lead to it.
[[nodiscard]] std::filesystem::path agreed_name(const std::filesystem::path& file, const FileId& id);

/// Hold the name against others. `storage` while another process has the file open by a name in another folder.
[[nodiscard]] Result<void> hold_name(HeldFile& held, const std::filesystem::path& file);

/// Write the name into the file, unless one is there that leads to it.
void keep_name(SQLite::Database& connection, const std::filesystem::path& file, const FileId& id);

}  // namespace ktrdr
