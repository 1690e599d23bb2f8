#include "session_state.hpp"

#include <bit>
#include <boost/json/array.hpp>

namespace ktrdr {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

std::int64_t bits(double number) {
    return std::bit_cast<std::int64_t>(number);
}

double number_of(const value& kept) {
    return std::bit_cast<double>(kept.as_int64());
}

std::string hexadecimal(const std::string& bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (const char one : bytes) {
        const auto byte = static_cast<unsigned char>(one);
        text += digits[byte / 16];
        text += digits[byte % 16];
    }
    return text;
}

int digit_of(char digit) {
    const bool letter = digit >= 'a' && digit <= 'f';
    if (!letter && !(digit >= '0' && digit <= '9')) {
        throw std::invalid_argument("no hexadecimal digit");
    }
    return letter ? digit - 'a' + 10 : digit - '0';
}

std::string bytes_of(const value& kept) {
    const std::string_view text = kept.as_string();
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        bytes += static_cast<char>(16 * digit_of(text[i]) + digit_of(text[i + 1]));
    }
    return bytes;
}

array row_of(const EpochReport& report) {
    return {report.epoch,
            bits(report.train_loss),
            bits(report.train_accuracy),
            bits(report.val_loss),
            bits(report.val_accuracy),
            bits(report.learning_rate),
            report.best};
}

EpochReport report_of(const array& row) {
    return {row.at(0).as_int64(), number_of(row.at(1)), number_of(row.at(2)), number_of(row.at(3)),
            number_of(row.at(4)), number_of(row.at(5)), row.at(6).as_bool()};
}

SessionState read_state(const object& json) {
    const auto whole = [&json](std::string_view key) { return json.at(key).as_int64(); };
    const auto number = [&json](std::string_view key) { return number_of(json.at(key)); };
    SessionState state;
    state.epoch = whole("epoch");
    state.batch = whole("batch");
    state.steps = whole("steps");
    state.sums = {whole("sum_rows"), whole("sum_hits"), number("sum_loss")};
    state.schedule = {number("rate"), number("plateau_best"), whole("plateau_waited")};
    for (const value& row : json.at("history").as_array()) {
        state.history.push_back(report_of(row.as_array()));
    }
    state.best_epoch = whole("best_epoch");
    state.best_score = number("best_score");
    state.patience_epoch = whole("patience_epoch");
    state.patience_score = number("patience_score");
    state.early_stopped = json.at("early_stopped").as_bool();
    state.seconds = number("seconds");
    state.epoch_generator = bytes_of(json.at("epoch_generator"));
    state.block_generator = bytes_of(json.at("block_generator"));
    state.step = std::string(json.at("step").as_string());
    state.block_batches = whole("block_batches");
    return state;
}

}  // namespace

double score_of(const EpochReport& report, const TrainerOptions& options) {
    const bool by_accuracy = options.early_stopping && options.early_stopping->monitor == "val_accuracy";
    return by_accuracy ? report.val_accuracy : -report.val_loss;
}

bool take_epoch(SessionState& state, EpochReport report, const TrainerOptions& options) {
    const double score = score_of(report, options);
    report.best = state.history.empty() || score > state.best_score;
    if (report.best) {
        state.best_epoch = report.epoch;
        state.best_score = score;
    }
    const auto& stopping = options.early_stopping;
    if (state.history.empty() || score > state.patience_score + (stopping ? stopping->min_delta : 0)) {
        state.patience_epoch = report.epoch;
        state.patience_score = score;
    }
    state.early_stopped =
        stopping && report.epoch < options.epochs && report.epoch - state.patience_epoch >= stopping->patience;
    state.schedule = after_epoch(options.schedule, state.schedule, report.epoch, score);
    state.history.push_back(report);
    return report.best;
}

object to_json(const SessionState& state) {
    array history;
    for (const EpochReport& report : state.history) {
        history.emplace_back(row_of(report));
    }
    return {{"epoch", state.epoch},
            {"batch", state.batch},
            {"steps", state.steps},
            {"sum_rows", state.sums.rows},
            {"sum_hits", state.sums.hits},
            {"sum_loss", bits(state.sums.loss_sum)},
            {"rate", bits(state.schedule.rate)},
            {"plateau_best", bits(state.schedule.best)},
            {"plateau_waited", state.schedule.waited},
            {"history", std::move(history)},
            {"best_epoch", state.best_epoch},
            {"best_score", bits(state.best_score)},
            {"patience_epoch", state.patience_epoch},
            {"patience_score", bits(state.patience_score)},
            {"early_stopped", state.early_stopped},
            {"seconds", bits(state.seconds)},
            {"epoch_generator", hexadecimal(state.epoch_generator)},
            {"block_generator", hexadecimal(state.block_generator)},
            {"step", state.step},
            {"block_batches", state.block_batches}};
}

Result<SessionState> session_state_of(const object& json) {
    try {
        return read_state(json);
    } catch (const std::exception&) {
        return fail(Errc::invalid_argument,
                    "The checkpoint does not say where the training stood: train from the "
                    "beginning.");
    }
}

}  // namespace ktrdr
