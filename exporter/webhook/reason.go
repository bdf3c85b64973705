package webhook

// Reason says why a request was rejected: a value of the label reason.
type Reason string

const (
	ReasonMethod         Reason = "method"          // not POST
	ReasonPath           Reason = "path"            // not the path of the configuration
	ReasonSDKAppID       Reason = "sdk_app_id"      // SdkAppid is missing or no configured app's
	ReasonSignMissing    Reason = "sign_missing"    // Sign or RequestTime is missing
	ReasonSign           Reason = "sign"            // Sign is not that of a valid token
	ReasonRequestTime    Reason = "request_time"    // Sign is genuine but not of now
	ReasonCommandMissing Reason = "command_missing" // no CallbackCommand in the query
	ReasonBodySize       Reason = "body_size"       // body larger than allowed
	ReasonBodyTimeout    Reason = "body_timeout"    // body took too long to arrive
	ReasonBodyIncomplete Reason = "body_incomplete" // body broke off
	ReasonJSON           Reason = "json"            // body is not one JSON object
	ReasonRoomID         Reason = "room_id"         // RoomId is missing or not a text
	ReasonEventTime      Reason = "event_time"      // EventTime is missing or not an integer
	ReasonInternal       Reason = "internal"        // the exporter failed
)

// Reasons lists every Reason.
func Reasons() []Reason {
	return []Reason{
		ReasonMethod, ReasonPath,
		ReasonSDKAppID, ReasonSignMissing, ReasonSign, ReasonRequestTime,
		ReasonCommandMissing,
		ReasonBodySize, ReasonBodyTimeout, ReasonBodyIncomplete,
		ReasonJSON, ReasonRoomID, ReasonEventTime,
		ReasonInternal,
	}
}
