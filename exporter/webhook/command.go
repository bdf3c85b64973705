package webhook

// CommandDestroyRoom is the command that tells of a destroyed room.
const CommandDestroyRoom = "Live.CallbackAfterDestroyRoom"

// CommandOther stands for every command that is not in Commands: the sender's
// set is open, the values of a label must not be.
const CommandOther = "other"

// Commands lists the commands the sender documents for the URL of an app.
func Commands() []string {
	return []string{
		CommandDestroyRoom,
		"Live.CallbackAfterCreateRoom",
		"Live.CallbackAfterUpdateRoomInfo",
		"Live.CallbackAfterSetMetadata",
		"Live.CallbackAfterDelMetadata",
		"Live.CallbackAfterCreateRoomReachingThreshold",
		"Live.CallbackAfterMemberStateChanged",
		"Live.CallbackAfterChangeOwner",
		"Live.CallbackAfterModifyAdmin",
		"Mic.CallbackAfterSeatInfoChanged",
		"Live.CallbackAfterCreateBattle",
		"Live.CallbackAfterStartBattle",
		"Live.CallbackAfterEndBattle",
		"Live.CallbackBeforeSendGift",
		"Live.CallbackBeforeCallBackNotBlock",
		"Group.CallbackBeforeSendMsg",
		"Group.CallbackAfterSendMsg",
		"Follow.CallbackAfterFollowAdd",
		"Follow.CallbackAfterFollowDelete",
	}
}
