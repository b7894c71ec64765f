package ddltrack

import (
	"go.mongodb.org/mongo-driver/v2/bson"
)

// MongoTookEffect says whether a command that was sent to a database is seen to
// have been carried out there. before and now are the collections that it is
// about, from before it was sent and from after that; others write to them
// meanwhile, which may make a collection of a name that was free. False where it
// is not so or can't be told: then to send it again does no harm, or is refused.
//
//   - create: the collection is there as it was asked for, whoever made it.
//   - drop: the one that was there is gone. A collection of that name is another
//     one, with documents that were written since.
//   - renameCollection: the one that had the old name has the new one.
//   - dropIndexes: the indexes that were there are gone.
//   - convertToCapped: it is capped, and was not.
//   - createIndexes, collMod: false. To send them again changes nothing, and
//     waits for indexes that are being built.
func MongoTookEffect(command bson.D, before, now []MongoCollection) bool {
	name, collection := MongoNameAndTarget(command)
	old, fresh := named(before, collection), named(now, collection)
	switch name {
	case "create":
		return fresh.Name != "" && didCreate(createCommand(fresh), command)
	case "drop":
		return fresh.Name == "" || old.Name != "" && (old.UUID != fresh.UUID || old.Type != fresh.Type)
	case "renameCollection":
		_, to := MongoNameAndTarget(bson.D{{Key: name, Value: textOf(command, "to")}})
		moved := named(now, to)
		return old.UUID != "" && old.UUID == moved.UUID
	case "dropIndexes", "deleteIndexes":
		var gone []bson.D
		for _, spec := range old.Indexes {
			if _, kept := fresh.index(textOf(spec, "name")); !kept {
				gone = append(gone, spec)
			}
		}
		return len(gone) > 0 && didDropIndexes(dropIndexesCommand(collection, gone), command, old, fresh)
	case "convertToCapped":
		return truthOf(fresh.Options, "capped") && !truthOf(old.Options, "capped")
	}
	return false
}
