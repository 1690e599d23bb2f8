#include <ktrdr/market/arrow_stream.hpp>

#include <fmt/format.h>

#include <array>

#include "arrow_layout.hpp"
#include "arrow_messages.hpp"

namespace ktrdr {
namespace {

/// Which of a batch's columns are a bar's, and where their values lie.
struct Plan {
    ColumnPlan columns{};
    std::array<ArrowLayout, bar_column_count> layouts{};
    std::vector<ArrowField> fields{};
};

Plan plan_reading(std::vector<ArrowField> fields) {
    std::vector<std::string> names;
    for (const ArrowField& field : fields) {
        names.push_back(field.name);
    }
    auto columns = plan_frame(names);
    if (!columns) {
        throw ErrorException(columns.error());
    }
    Plan plan{std::move(*columns), {}, std::move(fields)};
    for (std::size_t i = 0; i < bar_column_count; ++i) {
        const auto column = static_cast<BarColumn>(i);
        auto& at = plan.columns.at[i];
        if (!at) {
            continue;
        }
        const std::string& format = plan.fields[*at].format;
        if (column == BarColumn::volume && format == "n") {
            // Nothing but nulls: as good as no column.
            at.reset();
            continue;
        }
        const auto layout = arrow_layout(format, false, column);
        if (!layout) {
            throw ErrorException(layout.error());
        }
        if (layout->kind == ArrowLayout::Kind::text) {
            refuse_stream("column timestamp holds texts: cast it to a timestamp");
        }
        plan.layouts[i] = *layout;
    }
    return plan;
}

/// A batch whose lengths fit what lies there.
struct Batch {
    std::size_t rows{0};
    std::array<GivenValues, bar_column_count> values{};
};

/// The bits that say which values are there; null where all are.
const std::uint8_t* valid_bits(const ArrowColumn& column, std::size_t rows, const std::string& name) {
    if (column.missing == 0) {
        return nullptr;
    }
    if (column.buffers.front().size() < rows / 8 + (rows % 8 > 0 ? 1 : 0)) {
        refuse_stream(fmt::format("column {} says that {} of its {} values are missing, and has {} bytes to say which",
                                  name, column.missing, rows, column.buffers.front().size()));
    }
    return reinterpret_cast<const std::uint8_t*>(column.buffers.front().data());
}

Batch batch_of(const ArrowBatch& came, const Plan& plan) {
    Batch batch{came.rows, {}};
    for (std::size_t i = 0; i < bar_column_count; ++i) {
        const auto at = plan.columns.at[i];
        if (!at) {
            continue;
        }
        const ArrowColumn& column = came.columns[*at];
        const ArrowLayout& layout = plan.layouts[i];
        const std::string_view bytes = column.buffers[1];
        if (came.rows > bytes.size() / static_cast<std::size_t>(layout.width)) {
            refuse_stream(fmt::format("column {} has {} bytes for {} rows of {}", plan.fields[*at].name, bytes.size(),
                                      came.rows, layout.width));
        }
        batch.values[i] = {.type = layout.type,
                           .data = bytes.data(),
                           .stride = layout.width,
                           .count = came.rows,
                           .valid = valid_bits(column, came.rows, plan.fields[*at].name),
                           .valid_offset = 0};
    }
    return batch;
}

Bars bars_of(const std::vector<Batch>& batches, const Plan& plan) {
    std::size_t rows = 0;
    for (const Batch& batch : batches) {
        rows += batch.rows;
    }
    BarsBuilder builder;
    builder.reserve(rows);
    for (const Batch& batch : batches) {
        const auto stamps = builder.add_stamps(plan.layouts[0].unit, batch.values[0], MissingStamp::kept);
        if (!stamps) {
            throw ErrorException(stamps.error());
        }
        for (std::size_t i = 1; i < bar_column_count; ++i) {
            if (plan.columns.at[i]) {
                builder.add_numbers(static_cast<BarColumn>(i), batch.values[i]);
            }
        }
    }
    auto bars = std::move(builder).finish();
    if (!bars) {
        throw ErrorException(bars.error());
    }
    return std::move(*bars);
}

StreamedBars read(std::string_view bytes) {
    ArrowMessages messages(bytes);
    Plan plan = plan_reading(messages.schema());
    std::vector<Batch> batches;
    while (const auto came = messages.next(plan.fields)) {
        batches.push_back(batch_of(*came, plan));
    }
    StreamedBars streamed;
    streamed.given.bars = bars_of(batches, plan);
    streamed.given.ignored = std::move(plan.columns.ignored);
    streamed.ended = messages.ended();
    return streamed;
}

}  // namespace

Result<StreamedBars> read_arrow_stream(std::string_view bytes) try {
    return read(bytes);
} catch (const ErrorException& wrong) {
    return wrong.error();
}

}  // namespace ktrdr
