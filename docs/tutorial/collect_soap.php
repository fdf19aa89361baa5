<?php
const GATEWAY = "http://127.0.0.1:8080", USER = "acme", PASSWORD = "s3cret", FULL = 300;

$authentication = new SoapClient(GATEWAY . "/soap/Authentication.asmx?WSDL");
$answer = $authentication->GetParameters(["username" => USER, "password" => PASSWORD]);
$login = [
    "token" => $answer->GetParametersResult->Token,
    "signature" => $answer->GetParametersResult->Signature,
];

$sms = new SoapClient(GATEWAY . "/soap/SMS.asmx?WSDL", ["features" => SOAP_SINGLE_ELEMENT_ARRAYS]);
echo $sms->GetNewInboxCount($login)->GetNewInboxCountResult, " new\n";
do {
    $messages = $sms->GetNewInboxMessages($login)->GetNewInboxMessagesResult->NewSMSMessage ?? [];
    foreach ($messages as $message) {
        if (!empty($message->trackingid)) {
            $word = explode(" ", $message->data)[0];
            echo "confirmation: $message->trackingid to $message->sender is $word\n";
        } else {
            echo "message: $message->sender says '$message->data'\n";
        }
    }
} while (count($messages) === FULL);
