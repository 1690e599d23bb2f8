#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/files.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// Where a file is to be, and what may happen to one that is there.
struct NewFilePlace {
    std::filesystem::path path{};
    /// A plain file in its place is replaced. Anything else never is.
    bool overwrite{false};

    /// Errors: `conflict` for a file that is there and may not be replaced, or that the file system takes for this one
    /// by a name in other letters; `invalid_argument` for what is no plain file; `not_found` for a folder that is
    /// missing.
    [[nodiscard]] KTRDR_EXPORT Result<void> check() const;
};

/// A file that nobody sees before it is whole: it is written under a hidden name beside its place, synced, and renamed.
/// One that is not committed goes again.
///
/// Errors: those of `NewFilePlace::check`, `storage`, `storage_full`.
/// Thread safety: none.
class KTRDR_EXPORT NewFile final : private Counted<NewFile> {
public:
    [[nodiscard]] static Result<std::unique_ptr<NewFile>> open(NewFilePlace place, const Clock& clock,
                                                               FileAccess access);
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile();

    /// Its hidden name, for who writes it by itself.
    [[nodiscard]] const std::filesystem::path& hidden() const noexcept { return hidden_; }
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return place_.path; }
    [[nodiscard]] Result<void> write(std::string_view bytes);
    /// Give it its name. One that came there meanwhile stays unless it may be replaced. `poll` is asked while it goes
    /// to the disk, every half a megabyte: an error of it is the answer, and the file has no name. May be empty.
    [[nodiscard]] Result<void> commit(const std::function<Result<void>()>& poll = {});
    /// It goes now, unless it was committed.
    void discard() noexcept;

private:
    NewFile(NewFilePlace place, std::filesystem::path hidden, int descriptor);

    const NewFilePlace place_;
    const std::filesystem::path hidden_;
    const int descriptor_;
    /// Committed or discarded.
    bool ended_{false};
};

}  // namespace ktrdr
