// The check behind each rule of the table; one file a group.
#pragma once

#include <string_view>

#include "host/check/subject.hpp"

namespace adze::host::check {

/// What the descriptor's own check found under this rule.
Finding descriptor_finding(Subject& subject, std::string_view rule);

Finding check_L01(Subject&);
Finding check_L02(Subject&);
Finding check_L03(Subject&);
Finding check_L04(Subject&);
Finding check_L05(Subject&);
Finding check_L06(Subject&);
Finding check_L07(Subject&);
Finding check_L08(Subject&);
Finding check_L09(Subject&);
Finding check_L10(Subject&);
Finding check_D01(Subject&);
Finding check_D02(Subject&);
Finding check_D03(Subject&);
Finding check_D04(Subject&);
Finding check_D05(Subject&);
Finding check_D06(Subject&);
Finding check_P01(Subject&);
Finding check_P02(Subject&);
Finding check_P03(Subject&);
Finding check_P04(Subject&);
Finding check_P05(Subject&);
Finding check_C01(Subject&);
Finding check_C02(Subject&);
Finding check_C03(Subject&);
Finding check_C04(Subject&);
Finding check_C05(Subject&);
Finding check_H01(Subject&);
Finding check_H02(Subject&);
Finding check_H03(Subject&);
Finding check_H04(Subject&);
Finding check_H05(Subject&);
Finding check_H06(Subject&);
Finding check_G01(Subject&);
Finding check_G02(Subject&);
Finding check_G03(Subject&);
Finding check_G04(Subject&);
Finding check_G05(Subject&);
Finding check_G06(Subject&);
Finding check_G07(Subject&);
Finding check_R01(Subject&);
Finding check_R02(Subject&);
Finding check_R03(Subject&);
Finding check_R04(Subject&);
Finding check_T01(Subject&);
Finding check_T02(Subject&);
Finding check_S01(Subject&);
Finding check_S02(Subject&);
Finding check_S03(Subject&);
Finding check_F01(Subject&);

}  // namespace adze::host::check
