package graphs

import (
	"encoding/json"

	"penstock.dev/data"
)

// withSeed mixes the graph's seed into that of a node which draws at random, so
// that one number changes every draw of a run. The seed 0 changes nothing.
func withSeed(config json.RawMessage, seed int64) json.RawMessage {
	var fields map[string]json.RawMessage
	if seed == 0 || json.Unmarshal(config, &fields) != nil || fields["seed"] == nil {
		return config
	}
	mixed, err := json.Marshal(int64(data.Hash(string(fields["seed"]), seed) >> 1))
	if err != nil {
		return config
	}
	fields["seed"] = mixed
	changed, err := json.Marshal(fields)
	if err != nil {
		return config
	}
	return changed
}
