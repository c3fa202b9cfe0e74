// adze_edit over an EditList.
#pragma once

#include <adze/host.h>

namespace adze::host {

/// The table; its functions find their EditList through Call::of().
const adze_edit* edit_thunks();

}  // namespace adze::host
