#ifndef GATEHOUSE_RULES_RULE_ENGINE_SAMPLE_H
#define GATEHOUSE_RULES_RULE_ENGINE_SAMPLE_H
/* Text like that of mail, to measure patterns on when a rule set is made. */
#include "base/slice.h"

struct slice rule_engine_sample(void);

#endif
