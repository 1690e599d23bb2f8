#pragma once

#include <string_view>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/market/arrow.hpp>

namespace ktrdr {

/// Bars that came as a stream of bytes.
struct StreamedBars {
    /// As they were written, in their order; a row without a stamp, or with one that no bar can have, has `no_stamp`,
    /// and a price that is missing is no number.
    GivenBars given{};
    /// The writer has said that this is all. Without it more may have been meant to come.
    bool ended{false};
};

/// Read Arrow's streaming format (IPC): a schema and record batches, as pyarrow, arrow-rs and others write it since
/// version 0.15. Columns are found by `plan_columns`: stamps are timestamps of any unit (without a zone UTC) or dates,
/// the others integers and floats of any width; a column that no bar has may be of any type that is not nested. Nothing
/// of the bytes is believed before it is checked.
///
/// Errors: `invalid_argument` that says what came, for bytes that are no such stream or cut off, for compressed ones,
/// those of big-endian machines, dictionaries, nested columns, and a column of a bar that is missing or of another
/// type. Cost: one copy.
[[nodiscard]] KTRDR_EXPORT Result<StreamedBars> read_arrow_stream(std::string_view bytes);

}  // namespace ktrdr
