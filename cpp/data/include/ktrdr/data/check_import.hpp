#pragma once

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/data/import_folder.hpp>
#include <ktrdr/data/own_bars.hpp>

/// What an import would refuse, found by reading the files; nothing is opened but them, made or stored. For who has no
/// database yet and wants none for files that are broken. Blocks on the disk; polls `token` as an import does.
namespace ktrdr {

/// Errors: those of `DataManager::import_csv`, at once and in its operation, but for the store's.
[[nodiscard]] KTRDR_EXPORT Result<void> check_import(const ImportRequest& request, UtcTime now,
                                                     const CancellationToken& token);

/// Reads no further than the first file that is sound. Errors: those of `DataManager::import_folder`.
[[nodiscard]] KTRDR_EXPORT Result<void> check_import_folder(const ImportFolderRequest& request, UtcTime now,
                                                            const CancellationToken& token);

}  // namespace ktrdr
