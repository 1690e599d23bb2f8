#include <ktrdr/training/trainer_slot.hpp>

namespace ktrdr {

void TrainerSlot::fill(Result<std::shared_ptr<Trainer>> outcome) {
    {
        const std::scoped_lock lock(mutex_);
        if (outcome_) {
            return;
        }
        outcome_ = std::move(outcome);
    }
    filled_.notify_all();
}

void TrainerSlot::fulfil(std::shared_ptr<Trainer> trainer) {
    fill(std::move(trainer));
}

void TrainerSlot::fail(Error error) {
    fill(std::move(error));
}

Result<std::shared_ptr<Trainer>> TrainerSlot::wait(const CancellationToken& token) {
    // Looks at the token now and then: an on_cancel callback would need the io thread to be free.
    constexpr std::chrono::milliseconds slice{20};
    std::unique_lock lock(mutex_);
    while (!filled_.wait_for(lock, slice, [this] { return outcome_.has_value(); })) {
        if (auto go = token.check("loading LibTorch"); !go) {
            return go.error();
        }
    }
    return *outcome_;
}

}  // namespace ktrdr
