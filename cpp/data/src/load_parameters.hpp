#pragma once

#include <boost/json/object.hpp>

#include <ktrdr/data/load_request.hpp>

namespace ktrdr {

/// What makes two requests the same one, as the record of their operation keeps it.
[[nodiscard]] boost::json::object parameters_of(const LoadRequest& request);
/// The request that a record is of, but for its ids. `invalid_argument` for what is none of a load.
[[nodiscard]] Result<LoadRequest> request_of(const boost::json::object& parameters);

}  // namespace ktrdr
