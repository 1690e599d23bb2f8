#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/market/bars_view.hpp>

namespace ktrdr {

/// The three structures of Arrow's C data and stream interfaces, as its specification lays them out. Whoever reads them
/// in another library sees the same memory, so nothing here may change.
struct ArrowSchema {
    const char* format{nullptr};
    const char* name{nullptr};
    const char* metadata{nullptr};
    std::int64_t flags{0};
    std::int64_t n_children{0};
    ArrowSchema** children{nullptr};
    ArrowSchema* dictionary{nullptr};
    void (*release)(ArrowSchema*){nullptr};
    void* private_data{nullptr};
};

struct ArrowArray {
    std::int64_t length{0};
    std::int64_t null_count{0};
    std::int64_t offset{0};
    std::int64_t n_buffers{0};
    std::int64_t n_children{0};
    const void** buffers{nullptr};
    ArrowArray** children{nullptr};
    ArrowArray* dictionary{nullptr};
    void (*release)(ArrowArray*){nullptr};
    void* private_data{nullptr};
};

struct ArrowArrayStream {
    int (*get_schema)(ArrowArrayStream*, ArrowSchema* out){nullptr};
    int (*get_next)(ArrowArrayStream*, ArrowArray* out){nullptr};
    const char* (*get_last_error)(ArrowArrayStream*){nullptr};
    void (*release)(ArrowArrayStream*){nullptr};
    void* private_data{nullptr};
};

/// Make a stream of the bars: timestamp (`timestamp[ns, UTC]`) and five columns of doubles; a volume that the provider
/// does not give is null. The columns are handed over as they lie, no value is copied.
///
/// Lifetime: what a reader takes keeps the bars alive until it is released, from whatever thread.
KTRDR_EXPORT void export_bars(BarsView bars, ArrowArrayStream& out);

/// Let go of a structure that may be empty.
template <class Structure>
void release_arrow(Structure& structure) {
    if (structure.release != nullptr) {
        structure.release(&structure);
    }
}

/// Bars as others gave them: columns and stamps are in order as types, nothing more is checked.
struct GivenBars {
    Bars bars{};
    /// Names of columns that no bar has.
    std::vector<std::string> ignored{};
};

/// Read a whole stream of record batches. Columns are found by `plan_columns`: stamps are Arrow's timestamps of any
/// unit (without a zone UTC), dates, or text; the others integers and floats of any width.
///
/// Errors: `invalid_argument` for a column that is missing, of a type that cannot be, or holds no stamp; naming it.
/// Cost: one copy.
[[nodiscard]] KTRDR_EXPORT Result<GivenBars> read_arrow(ArrowArrayStream& stream);

}  // namespace ktrdr
