#include "stored_texts.hpp"

#include <boost/json/array.hpp>

namespace ktrdr {

std::vector<std::string> texts_of(const boost::json::object& object, std::string_view key) {
    std::vector<std::string> texts;
    const boost::json::value* const list = object.if_contains(key);
    if (list != nullptr && list->is_array()) {
        for (const boost::json::value& item : list->get_array()) {
            if (!item.is_string()) {
                return {};
            }
            texts.emplace_back(item.get_string());
        }
    }
    return texts;
}

}  // namespace ktrdr
