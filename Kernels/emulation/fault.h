// A touch of memory that is closed or not there: said in words before the process dies of it.
#pragma once

namespace emulation {

// From here on. Handlers that were there before still get the fault.
void explain_faults();

} // namespace emulation
