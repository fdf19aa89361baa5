<?php
const RETRIEVE = "http://127.0.0.1:8080/RetrieveMMS", USER = "acme", PASSWORD = "inb0und";

$fields = $_POST ?: $_GET;
if ($fields["type"] === "2") {
    $folder = "mms/" . basename($fields["id"]);
    @mkdir($folder, recursive: true);
    if (isset($_FILES["mms_zip"])) {  // PHP makes a dot in a name an underscore
        move_uploaded_file($_FILES["mms_zip"]["tmp_name"], "$folder/mms.zip");
    } else {
        $query = http_build_query(["user" => USER, "pass" => PASSWORD, "id" => $fields["id"]]);
        copy(RETRIEVE . "?$query", "$folder/mms.zip");
    }
    (new PharData("$folder/mms.zip"))->extractTo($folder, overwrite: true);
    $said = "MMS from $fields[from]: " . implode(" ", array_diff(scandir($folder), [".", ".."]));
} else {
    $said = "SMS from $fields[from]: $fields[message]";
}
file_put_contents("php://stdout", "$said\n");
echo "OK";
